"""What runs next and why, who holds the slots, and which limits there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from dashboard.contexts.common import priority_word
from dashboard.texts import counted
from orchestration.domain.explain.queueing import Queued, Slots, turn
from orchestration.models import Task

SHOWN = 200


@dataclass(frozen=True, slots=True)
class QueueLine:
    """A ready task."""

    place: int
    id: str
    name: str
    url: str
    tree_name: str
    run_words: str
    run_url: str
    priority: int
    since: float
    why: str
    may_run: bool


@dataclass(frozen=True, slots=True)
class HolderLine:
    name: str
    url: str
    executor: str
    since: float


@dataclass(frozen=True, slots=True)
class Meter:
    """Slots or a limit: how many of how many are taken."""

    word: str
    used: int
    total: int
    full: bool
    share: int  # percent


@dataclass(frozen=True, slots=True)
class QueueView:
    lines: tuple[QueueLine, ...]
    total: int
    hidden: int  # ready tasks of other people
    holders: tuple[HolderLine, ...]
    holders_more: int
    meters: tuple[Meter, ...]
    ageing: str
    alive: bool
    priorities: tuple[tuple[int, str], ...] = ((0, "0 urgent"), (1, "1 high"), (2, "2 normal"), (3, "3 low"))


def in_order(slots: Slots) -> list[Queued]:
    """Every ready task in the order in which they start."""
    return sorted(slots.ready, key=lambda queued: turn(queued, slots.ageing_s))


def queue_view(
    slots: Slots, order: list[Queued], tasks: dict[str, Task], runnable: set[int], *, hidden: int
) -> QueueView:
    """The page. *tasks*: the first of *order* that the user may see; *runnable*: the trees whose tasks they may move;
    *hidden*: how many of the others they may not see."""
    meters = _meters(slots)
    held = {meter.word: meter for meter in meters}
    lines: list[QueueLine] = []
    before: Counter[int] = Counter()
    mates = Counter(running.run for running in slots.running)
    for place, queued in enumerate(order):
        task = tasks.get(queued.task)
        if task is not None:
            why = _why(queued, place, before, _bound(queued, task, mates[queued.run], held))
            lines.append(_line(place + 1, queued, task, why, task.tree_id in runnable))
        before[queued.priority] += 1
    holders = sorted(slots.running, key=lambda running: running.since)
    return QueueView(
        lines=tuple(lines),
        total=len(order),
        hidden=hidden,
        holders=tuple(
            HolderLine(h.name, f"/tasks/{_dashed(h.task)}" if h.task else "", h.executor, h.since.timestamp())
            for h in holders[:20]
        ),
        holders_more=max(0, len(holders) - 20),
        meters=meters,
        ageing=(
            gettext("%(ageing_s)s s of waiting count as one step of priority") % {"ageing_s": f"{slots.ageing_s:g}"}
        )
        if slots.ageing_s
        else "",
        alive=bool(slots.process + slots.asynchronous),
    )


def _line(place: int, queued: Queued, task: Task, why: str, may_run: bool) -> QueueLine:
    run = task.run
    return QueueLine(
        place=place,
        id=str(task.pk),
        name=task.name,
        url=task.get_absolute_url(),
        tree_name=task.tree.name,
        run_words=f"#{run.number}" if run else "",
        run_url=run.get_absolute_url() if run else task.tree.get_absolute_url(),
        priority=queued.priority,
        since=queued.ready_at.timestamp(),
        why=why,
        may_run=may_run,
    )


def _bound(queued: Queued, task: Task, mates: int, held: dict[str, Meter]) -> Meter:
    """What the task waits for: a place under a limit that is reached, else a slot."""
    limit = held.get(gettext("%(executor)s at a time") % {"executor": queued.executor})
    if limit is not None and limit.full:
        return limit
    if 0 < task.tree.max_parallel <= mates:
        return _meter(gettext("places of this tree"), mates, task.tree.max_parallel)
    return held[gettext("process slots")] if queued.isolated else held[gettext("async slots")]


def _why(queued: Queued, place: int, before: Counter[int], bound: Meter) -> str:
    taken = (
        (
            gettext("%(used)s of %(total)s %(word)s taken")
            % {"used": bound.used, "total": bound.total, "word": bound.word}
        )
        if bound.total
        else gettext("no engine is alive")
    )
    higher = sum(count for priority, count in before.items() if priority < queued.priority)
    if not place:
        return gettext("next, %(taken)s") % {"taken": taken}
    because = (
        (gettext("%(higher)s of higher priority") % {"higher": f"{higher:,}"})
        if higher
        else (gettext("ready longer, also %(priority_word)s") % {"priority_word": priority_word(queued.priority)})
    )
    return gettext("%(count)s ahead (%(because)s), %(taken)s") % {
        "count": counted(place, "task"),
        "because": because,
        "taken": taken,
    }


def _meters(slots: Slots) -> tuple[Meter, ...]:
    isolated = sum(running.isolated for running in slots.running)
    found = [
        _meter(gettext("process slots"), isolated, slots.process),
        _meter(gettext("async slots"), len(slots.running) - isolated, slots.asynchronous),
    ]
    used = Counter(running.executor for running in slots.running)
    found += [
        _meter((gettext("%(name)s at a time") % {"name": name}), used[name], most)
        for name, most in slots.executor_limits.items()
    ]
    return tuple(found)


def _meter(word: str, used: int, total: int) -> Meter:
    return Meter(word, used, total, used >= total, round(100 * min(used, total) / total) if total else 0)


def _dashed(task_id: Any) -> str:
    text = str(task_id)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
