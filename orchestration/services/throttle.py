"""How often somebody may try: failed logins per account and address, writing requests per user.

Counted in the database, in one row per account, address or user that is locked while it is looked at: two processes
cannot both take the last try.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from orchestration.domain.errors import OrchestrationError
from orchestration.models import Throttle

LOGIN_FAILURES = 10
LOGIN_WINDOW_S = 15 * 60.0
WRITE_WINDOW_S = 60.0
KEPT = timedelta(days=1)


class TooMany(OrchestrationError):
    """too many requests: try again later"""

    code = "throttled"
    status = 429

    def __init__(self, message: str, *, code: str = "", retry_after_s: float) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = max(1, math.ceil(retry_after_s))


@dataclass(frozen=True, slots=True)
class Attempted:
    """A try that counts as failed until `login_succeeded` takes it back."""

    keys: tuple[str, ...]
    at: float


def login_allowed(*, username: str, address: str) -> Attempted:
    """A try at signing in, counted as failed from now on. Raises TooMany ("locked: try again later").

    An account or address is locked while it has 10 failures in the last 15 minutes. Unknown accounts count alike.
    """
    keys = [_key("account", username.strip().casefold())]
    if address:
        keys.append(_key("address", _network(address)))
    wait = 0.0
    with transaction.atomic():
        rows = [_locked_row(key) for key in sorted(keys)]
        now = time.time()
        for row in rows:
            wait = max(wait, _wait_s(row, now, LOGIN_FAILURES, LOGIN_WINDOW_S))
        if not wait:
            for row in rows:
                _add(row, now, LOGIN_WINDOW_S)
    if wait:
        raise TooMany("locked: try again later", code="locked", retry_after_s=wait)
    return Attempted(tuple(sorted(keys)), now)


def login_succeeded(attempted: Attempted) -> None:
    """Take the try back; the account starts anew. The address keeps what others have done from it."""
    with transaction.atomic():
        for key in attempted.keys:
            row = _locked_row(key)
            others = [at for at in row.times if at != attempted.at]
            row.times = [] if key.startswith("account:") else others
            row.save(update_fields=["times", "updated_at"])


def write_allowed(user: Any) -> None:
    """Count a writing request of *user*. Raises TooMany beyond settings.API_WRITES_PER_MINUTE. Call it in the
    transaction of the write: what is refused is not counted."""
    limit: int = settings.API_WRITES_PER_MINUTE
    with transaction.atomic():
        row = _locked_row(_key("writes", str(user.pk)))
        now = time.time()  # of our turn: what was counted while we waited counts
        wait = _wait_s(row, now, limit, WRITE_WINDOW_S)
        if wait:
            message = f"more than {limit} writing requests in a minute: try again in {math.ceil(wait)} s"
            raise TooMany(message, retry_after_s=wait)
        _add(row, now, WRITE_WINDOW_S)


def use_allowed(kind: str, name: str, limit: int) -> None:
    """Count a use of what is called *name*. Raises TooMany beyond *limit* in a minute. Not in the transaction of what
    is done with it: a use that is refused later counts too."""
    with transaction.atomic():
        row = _locked_row(_key(kind, name))
        now = time.time()
        wait = _wait_s(row, now, limit, WRITE_WINDOW_S)
        if wait:
            message = f"more than {limit} requests in a minute: try again in {math.ceil(wait)} s"
            raise TooMany(message, retry_after_s=wait)
        _add(row, now, WRITE_WINDOW_S)


def client_address(request: Any) -> str:
    """The address that *request* comes from; behind a trusted proxy the one that the proxy names last."""
    if request is None:
        return ""
    if settings.BEHIND_PROXY:
        named = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
        if _is_address(named):
            return named
    address = str(request.META.get("REMOTE_ADDR") or "")
    return address if _is_address(address) else ""


def forget_old() -> int:
    """Delete counters that nothing was added to for a day."""
    return Throttle.objects.filter(updated_at__lt=timezone.now() - KEPT).delete()[0]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _network(address: str) -> str:
    """One household has a whole /64 of version 6."""
    found = ipaddress.ip_address(address)
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def _key(kind: str, text: str) -> str:
    return f"{kind}:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _locked_row(key: str) -> Throttle:
    _, new = Throttle.objects.get_or_create(pk=key, defaults={"updated_at": timezone.now()})
    if new:
        forget_old()
    return Throttle.objects.select_for_update().get(pk=key)


def _wait_s(row: Throttle, now: float, limit: int, window_s: float) -> float:
    recent = [at for at in row.times if now - window_s < at <= now + 1]  # a clock set back locks nobody for ever
    return recent[-limit] + window_s - now if len(recent) >= limit else 0.0


def _add(row: Throttle, now: float, window_s: float) -> None:
    row.times = [at for at in row.times if now - window_s < at <= now + 1] + [now]
    row.updated_at = timezone.now()
    row.save(update_fields=["times", "updated_at"])
