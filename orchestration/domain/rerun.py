"""What a run would execute: for every task of the tree whether it runs or is reused, and why."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from orchestration.domain.errors import Conflict, Invalid, Problem
from orchestration.domain.states import Mode, Status


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
    if mode == Mode.ALL:
        seeds, follow = dict.fromkeys(tasks, "the whole tree runs"), None
    elif mode == Mode.FAILED:
        seeds, follow = (
            {t.id: _unfinished(t) for t in tasks.values() if t.status != Status.COMPLETED},
            _downstream(tasks),
        )
    elif mode == Mode.FROM:
        seeds, follow = dict.fromkeys(chosen, "chosen"), _downstream(tasks)
    else:
        seeds, follow = dict.fromkeys(chosen, "chosen"), _missing_upstream(tasks)
    reasons = _spread(seeds, follow) if follow else seeds
    decisions = {task.id: _decide(task, reasons.get(task.id)) for task in tasks.values()}
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


def _unfinished(task: PlanTask) -> str:
    return "was blocked" if task.blocked else f"is {task.status.replace('_', ' ')}"


def _downstream(tasks: dict[str, PlanTask]) -> Callable[[str], Iterable[tuple[str, str]]]:
    dependents: dict[str, list[str]] = {}
    for task in tasks.values():
        for awaited in task.depends_on:
            dependents.setdefault(awaited, []).append(task.id)
    return lambda task_id: ((dependent, "downstream") for dependent in dependents.get(task_id, ()))


def _missing_upstream(tasks: dict[str, PlanTask]) -> Callable[[str], Iterable[tuple[str, str]]]:
    return lambda task_id: (
        (awaited, "needed upstream")
        for awaited in tasks[task_id].depends_on
        if tasks[awaited].status != Status.COMPLETED
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
    seeds = {
        task.id: f"requires '{tasks[awaited].name or awaited}', which is outside the scope and has not completed"
        for task in tasks.values()
        if decisions[task.id].runs
        for awaited in task.requires
        if not decisions[awaited].runs and not tasks[awaited].linked and tasks[awaited].status != Status.COMPLETED
    }
    dependents: dict[str, list[str]] = {}
    for task in tasks.values():
        for awaited in task.requires:
            dependents.setdefault(awaited, []).append(task.id)
    reasons = _spread(seeds, lambda task_id: ((d, "blocked upstream") for d in dependents.get(task_id, ())))
    for task_id, why in reasons.items():
        if decisions[task_id].runs:
            decisions[task_id] = Decision(True, why, blocked=True)


def _decide(task: PlanTask, reason: str | None) -> Decision:
    if task.linked:
        return Decision(False, "a link: its result is reused")
    if reason is not None:
        return Decision(True, reason)
    return Decision(False, "its result is reused" if task.status == Status.COMPLETED else f"stays {task.status}")
