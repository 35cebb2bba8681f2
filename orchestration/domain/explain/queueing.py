"""The place of a ready task in the queue, and who holds the slots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orchestration.domain.explain.facts import TaskFact
from orchestration.domain.story import plural

HOLDERS = 20


@dataclass(frozen=True, slots=True)
class Running:
    """An attempt that holds a slot. `task` is None where the person who asks may not see it."""

    task: str | None
    name: str
    isolated: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Queued:
    """A ready task of any run, with what decides its turn."""

    task: str
    priority: int
    ready_at: datetime
    run: int
    position: int
    isolated: bool


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of all live engines, who holds them and who waits for them."""

    process: int = 0
    asynchronous: int = 0
    running: tuple[Running, ...] = ()
    ready: tuple[Queued, ...] = ()


@dataclass(frozen=True, slots=True)
class Queue:
    """Where a ready task stands."""

    ahead: int
    ahead_higher: int  # of those ahead, how many because of a higher priority
    total: int  # slots of its kind
    used: int
    holders: tuple[Running, ...]  # longest first, at most 20
    text: str


def queue_of(task: TaskFact, slots: Slots) -> Queue:
    """The place of ready *task* among those that need the same kind of slot."""
    total = slots.process if task.isolated else slots.asynchronous
    running = sorted((r for r in slots.running if r.isolated == task.isolated), key=lambda r: r.since)
    own = next((q for q in slots.ready if q.task == task.id), None)
    before = [q for q in slots.ready if own and q.isolated == task.isolated and _turn(q) < _turn(own)]
    higher = sum(own is not None and q.priority < own.priority for q in before)
    text = _text(task, total, len(running), len(before), higher)
    return Queue(len(before), higher, total, len(running), tuple(running[:HOLDERS]), text)


def _turn(queued: Queued) -> tuple[int, datetime, int, int]:
    return (queued.priority, queued.ready_at, queued.run, queued.position)


def _text(task: TaskFact, total: int, used: int, ahead: int, higher: int) -> str:
    kind = "process" if task.isolated else "async"
    if not total:
        return "no engine is alive that could take it"
    held = f"{used} of {plural(total, f'{kind} slot')} taken"
    if not ahead:
        return f"it is next, {held}"
    because = f", {higher} of them with a higher priority" if higher else ""
    return f"{plural(ahead, 'task')} ahead{because}, {held}"
