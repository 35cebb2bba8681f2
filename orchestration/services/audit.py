"""The audit log: written in the transaction of what it tells of, chained so that no row can be changed unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from django.db import transaction
from django.utils import timezone

from orchestration.domain.json_gate import safe_text
from orchestration.models import AuditEntry, AuditHead

MAX_TARGET, MAX_ACTOR = 200, 150
MAX_FAULTS = 20
CHUNK = 2000


@transaction.atomic
def record(
    *, actor: Any = None, action: str, target: str = "", details: Mapping[str, Any] | None = None, ip: str = ""
) -> AuditEntry:
    """The new last entry. *actor*: a user, or None for nobody known. *details*: JSON data without secrets.

    Effects: one entry and the head; writers of entries wait for each other until the transaction ends.
    """
    AuditHead.objects.get_or_create(pk=1)
    head = AuditHead.objects.select_for_update().get(pk=1)
    known = actor is not None and actor.is_authenticated
    entry = AuditEntry(
        seq=head.seq + 1,
        at=timezone.now(),
        actor_id=actor.pk if known else None,
        actor=safe_text(actor.get_username(), MAX_ACTOR) if known else "",
        action=action,
        target=safe_text(target, MAX_TARGET),
        details=json.dumps(details or {}, sort_keys=True, ensure_ascii=True, default=str),
        ip=ip,
    )
    entry.hash = chained(head.hash, entry)
    entry.save(force_insert=True)
    AuditHead.objects.filter(pk=1).update(seq=entry.seq, hash=entry.hash)
    return entry


def chained(previous: str, entry: AuditEntry) -> str:
    """The hash of *entry* after an entry with hash *previous*."""
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    row = [entry.seq, at, entry.actor_id, entry.actor, entry.action, entry.target, entry.details, entry.ip]
    text = json.dumps(row, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


@transaction.atomic
def faults() -> list[str]:
    """What is wrong with the log, in words, at most 20; nothing if every row is as it was written. Reads all of it."""
    found = []
    for fault in _faults():
        found.append(fault)
        if len(found) == MAX_FAULTS:
            break
    return found


def _faults() -> Iterator[str]:
    expected, previous = 1, ""
    for entry in AuditEntry.objects.order_by("seq").iterator(CHUNK):
        if entry.seq != expected:
            yield f"entry {expected} is missing: the next one is {entry.seq}"
        elif entry.hash != chained(previous, entry):
            yield f"entry {entry.seq} is not what was written, or the one before it is another one"
        expected, previous = entry.seq + 1, entry.hash
    head = AuditHead.objects.filter(pk=1).first()
    if head is None:
        if expected > 1:
            yield "the head is missing: nothing tells whether the log was cut"
    elif (head.seq, head.hash) != (expected - 1, previous):
        yield f"the log ends with entry {expected - 1}, but entry {head.seq} was written: it was cut, or added to"


def head_text() -> str:
    """Number and hash of the newest entry: note it elsewhere, and nobody can rewrite the whole log unseen."""
    head = AuditHead.objects.filter(pk=1).first()
    return f"{head.seq} {head.hash}" if head else "0 (empty)"
