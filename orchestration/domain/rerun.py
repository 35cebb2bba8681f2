"""What a run would execute: for every task of the tree whether it runs or is reused, and why."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import cache

from orchestration.domain.errors import Conflict, Invalid, Problem
from orchestration.domain.states import Mode, Status
from orchestration.domain.words import gettext, gettext_noop

Say = Callable[[str], str]  # translates


@dataclass(slots=True)
class PlanTask:
    """A task as the plan needs it; ids are opaque."""

    id: str
    status: str
    blocked: bool = False
    linked: bool = False
    depends_on: list[str] = field(default_factory=list)
    requires: set[str] = field(default_factory=set)  # those of them that must complete
    name: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    runs: bool
    why: str  # in words, for the preview
    blocked: bool = False  # in the scope, but a required dependency outside it did not complete: it will not start


def plan(mode: Mode, chosen: Collection[str], tasks: dict[str, PlanTask]) -> dict[str, Decision]:
    """Task id -> decision. Modes: all; failed (what did not complete, and everything downstream); from (*chosen* and
    everything downstream); only (*chosen* and the upstream that has no result yet).

    Raises Invalid for a *chosen* task that is not in the tree or missing, Conflict when nothing would run.
    """
    _check_chosen(mode, chosen, tasks)
    say = cache(gettext)  # there may be a hundred thousand tasks, and there are a dozen reasons
    if mode == Mode.ALL:
        seeds, follow = dict.fromkeys(tasks, gettext("the whole tree runs")), None
    elif mode == Mode.FAILED:
        seeds, follow = (
            {t.id: _unfinished(t, say) for t in tasks.values() if t.status != Status.COMPLETED},
            _downstream(tasks),
        )
    elif mode == Mode.FROM:
        seeds, follow = dict.fromkeys(chosen, gettext("chosen")), _downstream(tasks)
    else:
        seeds, follow = dict.fromkeys(chosen, gettext("chosen")), _missing_upstream(tasks)
    reasons = _spread(seeds, follow) if follow else seeds
    decisions = {task.id: _decide(task, reasons.get(task.id), say) for task in tasks.values()}
    _mark_blocked(decisions, tasks)
    if not any(decision.runs for decision in decisions.values()):
        raise Conflict("nothing would run: every task has completed; choose 'all' to run the whole tree again")
    return decisions


def _check_chosen(mode: Mode, chosen: Collection[str], tasks: dict[str, PlanTask]) -> None:
    if mode not in (Mode.FROM, Mode.ONLY):
        return
    if not chosen:
        raise Invalid([Problem("chosen", f"mode '{mode}' needs at least one task", "required")])
    unknown = [task_id for task_id in chosen if task_id not in tasks]
    if unknown:
        raise Invalid([Problem("chosen", f"no task {unknown[0]} in this tree", "unknown_task")])
    linked = [task_id for task_id in chosen if tasks[task_id].linked]
    if linked:
        raise Invalid([Problem("chosen", "a link never runs: re-execute the original", "link")])


_UNFINISHED = {
    "pending": gettext_noop("is pending"),
    "in_progress": gettext_noop("is in progress"),
    "failed": gettext_noop("is failed"),
    "cancelled": gettext_noop("is cancelled"),
}
_STAYS = {
    "pending": gettext_noop("stays pending"),
    "in_progress": gettext_noop("stays in_progress"),
    "failed": gettext_noop("stays failed"),
    "cancelled": gettext_noop("stays cancelled"),
}


def _unfinished(task: PlanTask, say: Say) -> str:
    return say(gettext_noop("was blocked") if task.blocked else _UNFINISHED[task.status])


def _downstream(tasks: dict[str, PlanTask]) -> Callable[[str], Iterable[tuple[str, str]]]:
    dependents: dict[str, list[str]] = {}
    for task in tasks.values():
        for awaited in task.depends_on:
            dependents.setdefault(awaited, []).append(task.id)
    why = gettext("downstream")
    return lambda task_id: ((dependent, why) for dependent in dependents.get(task_id, ()))


def _missing_upstream(tasks: dict[str, PlanTask]) -> Callable[[str], Iterable[tuple[str, str]]]:
    why = gettext("needed upstream")
    return lambda task_id: (
        (awaited, why) for awaited in tasks[task_id].depends_on if tasks[awaited].status != Status.COMPLETED
    )


def _spread(seeds: dict[str, str], follow: Callable[[str], Iterable[tuple[str, str]]]) -> dict[str, str]:
    reasons, queue = dict(seeds), deque(seeds)
    while queue:
        for task_id, why in follow(queue.popleft()):
            if task_id not in reasons:
                reasons[task_id] = why
                queue.append(task_id)
    return reasons


def _mark_blocked(decisions: dict[str, Decision], tasks: dict[str, PlanTask]) -> None:
    """Say of what would run but cannot: it requires something outside the scope that has not completed."""
    text = gettext("requires '%(name)s', which is outside the scope and has not completed")
    seeds = {
        task.id: text % {"name": tasks[awaited].name or awaited}
        for task in tasks.values()
        if decisions[task.id].runs
        for awaited in task.requires
        if not decisions[awaited].runs and not tasks[awaited].linked and tasks[awaited].status != Status.COMPLETED
    }
    dependents: dict[str, list[str]] = {}
    for task in tasks.values():
        for awaited in task.requires:
            dependents.setdefault(awaited, []).append(task.id)
    behind = gettext("blocked upstream")
    reasons = _spread(seeds, lambda task_id: ((d, behind) for d in dependents.get(task_id, ())))
    for task_id, why in reasons.items():
        if decisions[task_id].runs:
            decisions[task_id] = Decision(True, why, blocked=True)


def _decide(task: PlanTask, reason: str | None, say: Say) -> Decision:
    if task.linked:
        return Decision(False, say(gettext_noop("a link: its result is reused")))
    if reason is not None:
        return Decision(True, reason)
    reused = gettext_noop("its result is reused")
    return Decision(False, say(reused if task.status == Status.COMPLETED else _STAYS[task.status]))
