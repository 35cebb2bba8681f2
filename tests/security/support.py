"""What the tests of secrets and rights share."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

from orchestration.services.secrets import secret_set
from tests.factories import make_user

CANARY = "CANARY-3f9d2c+/é&"
FORMS = (
    CANARY,
    quote(CANARY, safe=""),
    base64.b64encode(CANARY.encode()).decode(),
    base64.b64encode(f"u:{CANARY}".encode()).decode()[4:-4],
    json.dumps(CANARY)[1:-1],
    "3f9d2c",
)


def keeper(name="ann", **secrets):
    """A user with *secrets*."""
    user = make_user(name)
    for secret, value in secrets.items():
        secret_set(user=user, name=secret, value=value)
    return user


def leaks(text):
    """The forms of the canary that *text* (or bytes) holds."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return [form for form in FORMS if form in text]
