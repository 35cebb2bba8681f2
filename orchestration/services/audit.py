"""The audit log: written in the transaction of what it tells of, chained so that no row can be changed unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from orchestration.domain.json_gate import safe_text
from orchestration.models import AuditEntry, AuditHead, Tree

MAX_TARGET, MAX_ACTOR = 200, 150
MAX_FAULTS = 20
CHUNK = 2000
STAFF_VIEW = "staff.view"
VIEW_STEP = timedelta(hours=1)
RECENT = 500  # entries of a person that are looked through for the same view


@dataclass(slots=True)
class Origin:
    """From where a request comes: what every entry written meanwhile says beside its own details."""

    ip: str = ""
    request: str = ""  # the id that its log lines and its answer carry
    door: str = ""  # page, api, apflow, admin ...
    token: int | None = None  # the API token that it brought
    commands: bool = True  # False: that token may not write or run commands


_origin: ContextVar[Origin | None] = ContextVar("audit_origin", default=None)
_together: ContextVar[list[AuditEntry] | None] = ContextVar("audit_together", default=None)


@contextmanager
def during(origin: Origin) -> Iterator[Origin]:
    """Everything inside is done for a request from *origin*."""
    token = _origin.set(origin)
    try:
        yield origin
    finally:
        _origin.reset(token)


def by_token(token_id: int, *, commands: bool) -> None:
    """The request under way is signed in by that API token. *commands*: it may write and run commands."""
    if (origin := _origin.get()) is not None:
        origin.token, origin.commands = token_id, commands


def shell_withheld() -> bool:
    """Whether the request under way brought a token that may not write or run commands."""
    origin = _origin.get()
    return origin is not None and not origin.commands


def act(*, actor: Any, action: str, target: str, details: Mapping[str, Any] | None = None) -> None:
    """An entry about what a person or program asks for by a request.

    Nothing outside of a request: what the engine, a command or a program of this process does has its own log.
    """
    if _origin.get() is not None:
        record(actor=actor, action=action, target=target, details=details)


def record(
    *, actor: Any = None, action: str, target: str = "", details: Mapping[str, Any] | None = None, ip: str = ""
) -> None:
    """An entry. *actor*: a user, or None for nobody known. *details*: JSON data without secrets.

    Effects: the entry and the head, in the transaction under way; writers of entries wait for each other until it ends.
    """
    origin = _origin.get() or Origin()
    known = actor is not None and actor.is_authenticated
    told = {"request": origin.request, "door": origin.door, "token": origin.token}
    entry = AuditEntry(
        at=timezone.now(),
        actor_id=actor.pk if known else None,
        actor=safe_text(actor.get_username(), MAX_ACTOR) if known else "",
        action=action,
        target=safe_text(target, MAX_TARGET),
        details=_json({**{key: value for key, value in told.items() if value}, **(details or {})}),
        ip=ip or origin.ip,
    )
    waiting = _together.get()
    if waiting is None:
        _write([entry])
    else:
        waiting.append(entry)


def refused(*, user: Any, target: str, code: str) -> None:
    """An entry about somebody who may not do that, or not know of it. Nothing for the anonymous (or None)."""
    if user is not None and user.is_authenticated:
        record(actor=user, action="refused", target=target, details={"code": code})


def staff_views(seen: Iterable[tuple[Any, Tree]]) -> None:
    """Entries about staff that has opened trees of others: one per person, tree and hour."""
    for user, tree in seen:
        newest = AuditEntry.objects.filter(actor_id=user.pk).order_by("-seq").values("pk")[:RECENT]
        same = {"action": STAFF_VIEW, "target": f"tree:{tree.pk}", "at__gt": timezone.now() - VIEW_STEP}
        if not AuditEntry.objects.filter(pk__in=newest, **same).exists():
            details = {"owner": tree.owner_id, "name": tree.name}
            record(actor=user, action=STAFF_VIEW, target=f"tree:{tree.pk}", details=details)


@contextmanager
def together() -> Iterator[list[AuditEntry]]:
    """The entries of what is done inside, written at its end; none when it raises.

    Whoever changes several rows wants this: the head is locked last, so that two transactions cannot wait for each
    other. May be nested: the outermost writes.
    """
    outer, mine = _together.get(), list[AuditEntry]()
    token = _together.set(mine)
    try:
        yield mine
    finally:
        _together.reset(token)
    if outer is not None:
        outer += mine
    elif mine:
        _write(mine)


@transaction.atomic
def _write(entries: list[AuditEntry]) -> None:
    head = AuditHead.objects.select_for_update().filter(pk=1).first()
    if head is None:
        AuditHead.objects.get_or_create(pk=1)
        head = AuditHead.objects.select_for_update().get(pk=1)
    for entry in entries:
        head.seq = entry.seq = head.seq + 1
        head.hash = entry.hash = chained(head.hash, entry)
        AuditHead.objects.filter(pk=1).update(seq=head.seq, hash=head.hash)  # the guard lets it go by ones only
    AuditEntry.objects.bulk_create(entries, batch_size=CHUNK)


def _json(details: Mapping[str, Any]) -> str:
    return json.dumps(details, sort_keys=True, ensure_ascii=True, default=str)


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
