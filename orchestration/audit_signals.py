"""Django says who signs in and out; the audit log writes it down. Nothing else hangs on these signals."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver

from orchestration.services import audit, throttle


@receiver(user_logged_in)
def logged_in(request: Any, user: Any, **_: Any) -> None:
    audit.record(actor=user, action="login", target=f"user:{user.pk}", ip=throttle.client_address(request))


@receiver(user_logged_out)
def logged_out(request: Any, user: Any, **_: Any) -> None:
    if user is not None:
        audit.record(actor=user, action="logout", target=f"user:{user.pk}", ip=throttle.client_address(request))


@receiver(user_login_failed)
def login_failed(credentials: dict[str, Any], request: Any = None, **_: Any) -> None:
    name = str(credentials.get("username", ""))
    audit.record(action="login.failed", target=f"account:{name}", ip=throttle.client_address(request))
