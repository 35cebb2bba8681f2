"""Reads for the graph: every task of a tree with its state in a run, light enough for tens of thousands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from orchestration.domain.states import Display, Kind, Status, display_state
from orchestration.models import Attempt, Dependency, Event, Run, Task, Tree
from orchestration.selectors.hexes import Hex

_COLUMNS = (
    Hex("id"), Hex("parent_id"), "name", "executor", "status", "progress", "run_id", "started_at", "completed_at",
    "ready_at", "retry_at", "stop_requested_at", "blocked_by_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GraphTask:
    """A task as the graph shows it."""

    id: str
    parent: str | None
    name: str
    executor: str
    state: Display
    reused: bool  # outside the scope of the run: its earlier result was taken
    progress: float
    started_at: datetime | None
    completed_at: datetime | None


def graph_tasks(tree_id: int, run: Run | None) -> list[GraphTask]:
    """All tasks in outline order, as *run* sees or saw them; without a run as defined. Three queries at most."""
    rows = list(Task.objects.filter(tree_id=tree_id).order_by("position").values_list(*_COLUMNS))
    if run is None:
        return [_plain(row) for row in rows]
    newer = any(row[6] is not None and row[6] > run.pk for row in rows)
    past = _past(run) if newer else {}
    stuck = set(_blocked(run)) if newer else set()
    return [_seen(row, run, past, stuck) for row in rows]


def graph_edges(tree: Tree) -> tuple[tuple[str, str, bool], ...]:
    """(waited for, waiting, required) of each dependency, in the order in which tasks list them. One query, or none:
    they are kept for the trees asked for last, until somebody edits them."""
    return _edges(tree.pk, tree.version, tree.created_at)


@lru_cache(maxsize=4)
def _edges(tree_id: int, version: int, created_at: datetime) -> tuple[tuple[str, str, bool], ...]:
    """*version* and *created_at* only tell whether what is kept is still right."""
    rows = Dependency.objects.filter(task__tree=tree_id).order_by("task__position", "position")
    once: dict[str, str] = {}  # an id is in many rows: one text for all of them
    return tuple(
        (once.setdefault(a, a), once.setdefault(b, b), required)
        for a, b, required in rows.values_list(Hex("depends_on_id"), Hex("task_id"), "required")
    )


def _plain(row: tuple[Any, ...]) -> GraphTask:
    task_id, parent, name, executor, *_ = row
    return GraphTask(task_id, parent, name, executor, Display.IDLE, False, 0.0, None, None)


def _seen(row: tuple[Any, ...], run: Run, past: dict[str, Any], stuck: set[str]) -> GraphTask:
    task_id, parent, name, executor, status, progress, run_id, started, ended, ready, retry, stopping, blocked = row
    own = run_id == run.pk
    newer = run_id is not None and run_id > run.pk
    if newer:
        status, started, ended = past.get(task_id, (Status.PENDING, None, None))
        progress, blocked = float(status == Status.COMPLETED), task_id in stuck or None
    state = display_state(
        status,
        active=own and run.is_active,
        blocked=(own or newer) and blocked is not None,
        ready=own and ready is not None,
        retrying=own and retry is not None,
        stopping=own and stopping is not None,
    )
    return GraphTask(task_id, parent, name, executor, state, not (own or newer), progress, started, ended)


def _past(run: Run) -> dict[str, Any]:
    rows = Attempt.objects.filter(run=run).order_by("number")
    found = rows.values_list(Hex("task_id"), "status", "started_at", "completed_at")
    return {task_id: (status, started, ended) for task_id, status, started, ended in found}


def _blocked(run: Run) -> Iterable[str]:
    found = Event.objects.filter(run=run, kind=Kind.TASK_BLOCKED, task_id__isnull=False)
    return found.values_list(Hex("task_id"), flat=True)
