"""Signing in, wherever the form is: names and passwords as Django checks them, but not as often as one likes."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest

from orchestration.domain.errors import Invalid, Problem
from orchestration.services import audit, throttle

MAX_PASSWORD = 4096  # characters: hashing a megabyte would keep the server busy


class ThrottledBackend(ModelBackend):
    """Django's own backend behind the login throttle."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """The user, or None. Raises throttle.TooMany for a locked account or address, whatever the password; Invalid
        for an endless password. Unknown, inactive and existing accounts take the same steps."""
        name = username if username is not None else kwargs.get("username")
        if name is None or password is None:
            return None
        if len(password) > MAX_PASSWORD:
            message = f"password longer than {MAX_PASSWORD} characters"
            raise Invalid([Problem("password", message, "too_long")])
        address = throttle.client_address(request)
        try:
            attempted = throttle.login_allowed(username=name, address=address)
        except throttle.TooMany:
            audit.record(action="login.locked", target=f"account:{name}", ip=address)
            raise
        user = super().authenticate(request, username=name, password=password, **kwargs)
        if user is not None:
            throttle.login_succeeded(attempted)
        return user

    async def aauthenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """As `authenticate`: Django's own asynchronous way would go past the throttle."""
        return await sync_to_async(self.authenticate)(request, username, password, **kwargs)
