"""How long somebody stays signed in, however busy they are."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

SINCE = "signed_in_at"
RENEWED = "renewed_at"
RENEW_S = 600  # a session that each request renews would have each of them write, and wait for whoever writes
Handler = Callable[[HttpRequest], HttpResponse]


class SessionLifeMiddleware:
    """A session ends SESSION_COOKIE_AGE seconds after the last request (or up to RENEW_S earlier: it is renewed no more
    often), and SESSION_LIFE seconds after the sign-in; in its last hours its own expiry says so, which sockets and
    streams look at too. Effects: the session's data; signs out."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.session.session_key and request.user.is_authenticated:
            session, now = request.session, int(time.time())
            left = session.setdefault(SINCE, now) + settings.SESSION_LIFE - now
            if left <= 0:
                logout(request)
            elif now - session.get(RENEWED, 0) >= RENEW_S:
                session[RENEWED] = now
                if left < settings.SESSION_COOKIE_AGE:
                    session.set_expiry(left)
        return self.get_response(request)
