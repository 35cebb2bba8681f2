"""Which failures are the root causes of a run, and what each of them kept from running."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from orchestration.domain.explain.facts import EdgeFact, EdgesOf, Fate, TaskFact, Tasks, blocks, edges_by_task, fate
from orchestration.domain.graph import reverse, topological_order

NAMED = 10
EXACT = 64  # causes for which tasks that several of them blocked are counted at each


@dataclass(frozen=True, slots=True)
class Cause:
    """A task that ended badly, or was left out, by itself."""

    task: str
    name: str
    status: str  # failed, cancelled or idle (outside the run, without a result)
    error: str
    at: datetime | None
    blocked: int  # tasks that cannot run because of it, directly or not
    names: tuple[str, ...]  # of the first ten of them
    handled: bool  # somebody waits for it, and all hold it as optional


def root_causes(tasks: Tasks, edges: Iterable[EdgeFact]) -> list[Cause]:
    """The causes, those that blocked most first, then the earliest.

    A task that several causes block counts at each of them; beyond the 64 largest causes only at the decisive one.
    """
    edges_of = edges_by_task(edges, tasks)
    blockers = {
        task.id: found
        for task in tasks.values()
        if _was_blocked(task) and (found := [e.depends_on for e in edges_of.get(task.id, ()) if blocks(e, tasks)])
    }
    order = [t for t in topological_order(tasks, blockers) if t in blockers]
    blocking = {dependency for found in blockers.values() for dependency in found}
    causes = [t for t in tasks.values() if t.id not in blockers and _is_cause(t, blocking)]
    owner = _decisive(order, blockers, tasks)
    damage: dict[str, list[str]] = {cause.id: [] for cause in causes}
    for task_id in order:
        damage[owner[task_id]].append(task_id)
    causes.sort(key=lambda t: -len(damage[t.id]))
    damage |= _exact([t.id for t in causes[:EXACT]], order, blockers)
    handled = _handled(tasks, edges_of)
    listed = [_cause(t, damage[t.id], tasks, handled=t.id in handled) for t in causes]
    place = {t.id: (t.completed_at is None, t.completed_at.timestamp() if t.completed_at else 0.0) for t in causes}
    return sorted(listed, key=lambda c: (-c.blocked, *place[c.task], tasks[c.task].position))


def _was_blocked(task: TaskFact) -> bool:
    """Also a task that was blocked first and cancelled with the run later."""
    end = fate(task)
    return task.in_run and (end == Fate.BLOCKED or (end == Fate.CANCELLED and task.blocked_by is not None))


def _is_cause(task: TaskFact, blocking: set[str]) -> bool:
    return (task.in_run and fate(task) in (Fate.FAILED, Fate.CANCELLED)) or task.id in blocking


def _decisive(order: list[str], blockers: dict[str, list[str]], tasks: Tasks) -> dict[str, str]:
    """Blocked task -> the one cause at the end of its decisive chain."""
    owner: dict[str, str] = {}
    for task_id in order:
        by = tasks[task_id].blocked_by
        nearest = by if by in blockers[task_id] and by is not None else blockers[task_id][0]
        owner[task_id] = owner.get(nearest, nearest)
    return owner


def _exact(causes: list[str], order: list[str], blockers: dict[str, list[str]]) -> dict[str, list[str]]:
    """Cause -> everything that it blocks; one bit per cause travels downstream."""
    masks = {cause: 1 << bit for bit, cause in enumerate(causes)}
    damage: dict[str, list[str]] = {cause: [] for cause in causes}
    for task_id in order:
        mask = 0
        for dependency in blockers[task_id]:
            mask |= masks.get(dependency, 0)
        masks[task_id] = mask
        while mask:
            damage[causes[(mask & -mask).bit_length() - 1]].append(task_id)
            mask &= mask - 1
    return damage


def _handled(tasks: Tasks, edges_of: EdgesOf) -> set[str]:
    in_run = {t: [e.depends_on for e in found] for t, found in edges_of.items() if tasks[t].in_run}
    required = {e.depends_on for t in in_run for e in edges_of[t] if e.required}
    return set(reverse(in_run)) - required


def _cause(task: TaskFact, blocked: list[str], tasks: Tasks, *, handled: bool) -> Cause:
    names = tuple(tasks[task_id].name for task_id in blocked[:NAMED])
    end = str(fate(task))
    return Cause(task.id, task.name, end, task.error, task.completed_at, len(blocked), names, handled)
