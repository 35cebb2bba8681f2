"""The place of a ready task in the queue, and who holds the slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from orchestration.domain.explain.facts import TaskFact, quoted
from orchestration.domain.words import gettext, ngettext

HOLDERS = 20

Taken = Callable[[int], str]  # how many there are -> how the number of taken ones is said


def _process_slots(n: int) -> str:
    return ngettext("%(used)s of %(total)s process slot taken", "%(used)s of %(total)s process slots taken", n)


def _async_slots(n: int) -> str:
    return ngettext("%(used)s of %(total)s async slot taken", "%(used)s of %(total)s async slots taken", n)


def _executor_places(n: int) -> str:
    return ngettext(
        "%(used)s of %(total)s place for %(executor)s taken", "%(used)s of %(total)s places for %(executor)s taken", n
    )


def _tree_places(n: int) -> str:
    return ngettext(
        "%(used)s of %(total)s place of this tree taken", "%(used)s of %(total)s places of this tree taken", n
    )


@dataclass(frozen=True, slots=True)
class Running:
    """An attempt that holds a slot. `task` is None where the person who asks may not see it."""

    task: str | None
    name: str
    isolated: bool
    since: datetime
    executor: str = ""
    run: int = 0


@dataclass(frozen=True, slots=True)
class Queued:
    """A ready task of any run, with what decides its turn."""

    task: str
    priority: int
    ready_at: datetime
    run: int
    position: int
    isolated: bool
    executor: str = ""


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of all live engines, who holds them and who waits for them."""

    process: int = 0
    asynchronous: int = 0
    running: tuple[Running, ...] = ()
    ready: tuple[Queued, ...] = ()
    executor_limits: Mapping[str, int] = field(default_factory=dict)  # most attempts of an executor at a time
    run_limit: int = 0  # most attempts of the asked task's run at a time; 0 = no limit
    ageing_s: float = 0.0  # waiting this long is worth one step of priority


@dataclass(frozen=True, slots=True)
class Queue:
    """Where a ready task stands, for what it needs most: a slot, or a place under a limit that is reached."""

    ahead: int  # ready tasks that need the same and come first
    ahead_higher: int  # of them, how many have a higher priority
    total: int  # slots of its kind, or the limit
    used: int
    holders: tuple[Running, ...]  # longest first, at most 20
    text: str


def queue_of(task: TaskFact, slots: Slots) -> Queue:
    """The place of ready *task* among those that need the same slots, or the same place under a limit."""
    own = next((q for q in slots.ready if q.task == task.id), None)
    total, taken, running, rivals = _bound(task, own, slots)
    before = [q for q in rivals if own and turn(q, slots.ageing_s) < turn(own, slots.ageing_s)]
    higher = sum(own is not None and q.priority < own.priority for q in before)
    holders = sorted(running, key=lambda r: r.since)
    numbers = {"used": str(len(holders)), "total": f"{total:,}", "executor": quoted(task.executor)}
    text = gettext("no engine is alive that could take it")
    if total:
        text = _text(taken(total) % numbers, len(before), higher)
    return Queue(len(before), higher, total, len(holders), tuple(holders[:HOLDERS]), text)


def _bound(task: TaskFact, own: Queued | None, slots: Slots) -> tuple[int, Taken, list[Running], list[Queued]]:
    """(how many at a time, in which words, who runs, who wants to): the limit that is reached, else the slots."""
    limit = slots.executor_limits.get(task.executor)
    same = [r for r in slots.running if r.executor == task.executor]
    if limit is not None and len(same) >= limit:
        rivals = [q for q in slots.ready if q.executor == task.executor]
        return limit, _executor_places, same, rivals
    run = own.run if own else 0
    mates = [r for r in slots.running if r.run == run]
    if own and slots.run_limit and len(mates) >= slots.run_limit:
        return slots.run_limit, _tree_places, mates, [q for q in slots.ready if q.run == run]
    total = slots.process if task.isolated else slots.asynchronous
    running = [r for r in slots.running if r.isolated == task.isolated]
    return (
        total,
        _process_slots if task.isolated else _async_slots,
        running,
        [q for q in slots.ready if q.isolated == task.isolated],
    )


def turn(queued: Queued, ageing_s: float) -> tuple[Any, ...]:
    """What the queue is sorted by, smallest first."""
    if ageing_s:
        return (queued.ready_at + timedelta(seconds=ageing_s * queued.priority), queued.run, queued.position)
    return (queued.priority, queued.ready_at, queued.run, queued.position)


def _text(held: str, ahead: int, higher: int) -> str:
    if not ahead:
        return gettext("it is next, %(held)s") % {"held": held}
    text = ngettext("%(n)s task ahead, %(held)s", "%(n)s tasks ahead, %(held)s", ahead)
    if higher:
        text = ngettext(
            "%(n)s task ahead, %(higher)s of them with a higher priority, %(held)s",
            "%(n)s tasks ahead, %(higher)s of them with a higher priority, %(held)s",
            ahead,
        )
    return text % {"n": f"{ahead:,}", "higher": higher, "held": held}
