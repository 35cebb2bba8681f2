"""Answers remembered for a day, so that a request which is sent twice is carried out once."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from orchestration.domain.errors import Conflict, Invalid, Problem
from orchestration.failpoints import failpoint
from orchestration.models import IdempotencyKey

KEPT = timedelta(hours=24)
KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class Remembered:
    status: int
    answer: Any


def check_key(key: str) -> str:
    """*key* itself. Raises Invalid unless it is 1 to 200 visible ASCII characters."""
    if not KEY.fullmatch(key):
        message = "use 1 to 200 visible ASCII characters, best a random UUID"
        raise Invalid([Problem("Idempotency-Key", message, "invalid_header")])
    return key


def fingerprint(method: str, path: str, body: bytes) -> str:
    """What tells one request from another."""
    return hashlib.sha256(b"\n".join([method.encode(), path.encode("utf-8", "surrogatepass"), body])).hexdigest()


def claim(*, user: Any, key: str, fingerprint: str) -> IdempotencyKey | Remembered:
    """The key, now taken: pass it to `remember`; or the answer that the same request got before.

    Raises Conflict (idempotency_conflict) when another request had the key. Call it in the transaction of the action:
    a second request with the key then waits until the first has ended, and a refused one frees the key.
    """
    old = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT)
    IdempotencyKey.objects.filter(
        pk__in=old.select_for_update(skip_locked=True).values("pk")
    ).delete()  # waits for nobody
    row, new = IdempotencyKey.objects.get_or_create(
        user=user, key=key, defaults={"fingerprint": fingerprint, "created_at": timezone.now()}
    )
    if new:
        return row
    if row.fingerprint != fingerprint:
        message = "this key was used with another request: take a new key"
        raise Conflict(message, code="idempotency_conflict", field="Idempotency-Key")
    return Remembered(row.http_status, row.answer)


def remember(row: IdempotencyKey, *, status: int, answer: Any) -> None:
    """Keep the answer for whoever sends the same request again."""
    row.http_status = status
    row.answer = answer
    row.save(update_fields=["http_status", "answer"])
    failpoint("idempotency.remember")
