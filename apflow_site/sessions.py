"""How long somebody stays signed in, however busy they are."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

SINCE = "signed_in_at"
Handler = Callable[[HttpRequest], HttpResponse]


class SessionLifeMiddleware:
    """A session ends SESSION_LIFE seconds after the sign-in; in its last hours its own expiry says so, which sockets
    and streams look at too. Effects: the session's data; signs out."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.session.session_key and request.user.is_authenticated:
            since = request.session.setdefault(SINCE, int(time.time()))
            left = int(since + settings.SESSION_LIFE - time.time())
            if left <= 0:
                logout(request)
            elif left < settings.SESSION_COOKIE_AGE:
                request.session.set_expiry(left)
        return self.get_response(request)
