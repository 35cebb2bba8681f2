"""What the nursery calls in a process of its own, on the database of a server."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client


def printed(code):
    """What the Python of a test prints."""
    output = io.StringIO()
    with redirect_stdout(output):
        exec(code, {})
    return output.getvalue()


def signed_in(user):
    """What a browser keeps of a sign-in of *user*: a new session."""
    client = Client()
    client.force_login(User.objects.get(username=user))
    name = settings.SESSION_COOKIE_NAME
    cookie = {"name": name, "value": client.cookies[name].value, "domain": "127.0.0.1", "path": "/"}
    return {"cookies": [cookie]}
