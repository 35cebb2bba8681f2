"""What the nursery calls in a process of its own, on the database of a server."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

from django.contrib.auth.models import User

from dashboard.bench.answers import cookie_of


def printed(code):
    """What the Python of a test prints."""
    output = io.StringIO()
    with redirect_stdout(output):
        exec(code, {})
    return output.getvalue()


def signed_in(user):
    """What a browser keeps of a sign-in of *user*: a new session."""
    cookies = cookie_of(User.objects.get(username=user)).items()
    return {"cookies": [{"name": name, "value": value, "domain": "127.0.0.1", "path": "/"} for name, value in cookies]}
