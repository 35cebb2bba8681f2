"""Rows -> facts for the explanations: a constant number of queries, whatever the size of the tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Max

from orchestration.domain.explain.critical import Timing
from orchestration.domain.explain.facts import EdgeFact, TaskFact
from orchestration.domain.states import Kind, Mode, Status
from orchestration.executors import registry
from orchestration.models import Attempt, Dependency, Event, Run, Task
from orchestration.selectors.hexes import Hex

MAX_ERROR = 500  # characters of an error that are loaded into a fact's text

_COLUMNS = (
    "id", "name", "status", "executor", "priority", "position", "linked_attempt_id", "run_id", "run__number",
    "blocked_by_id", "error", "ready_at", "retry_at", "stop_requested_at", "started_at", "completed_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run's tasks (all of the tree, `in_run` marks its scope) as that run saw or sees them."""

    tasks: dict[str, TaskFact]
    timings: dict[str, Timing]


@dataclass(frozen=True, slots=True)
class _Then:
    """What the attempts of one run say about one task."""

    status: str
    error: str
    started_at: datetime
    completed_at: datetime | None


def task_facts(tree_id: int, run: Run | None, ids: Iterable[UUID] | None = None) -> dict[str, TaskFact]:
    """The tasks of a tree (or those of *ids*) as they are now, seen from *run*. One query."""
    rows = Task.objects.filter(tree=tree_id).order_by("position")
    if ids is not None:
        rows = rows.filter(pk__in=ids)
    isolated = {executor.id: executor.isolated for executor in registry.all_executors()}
    active = run is not None and run.is_active
    found = (_fact(row, run, isolated, active=active) for row in rows.values_list(*_COLUMNS))
    return {fact.id: fact for fact in found}


def edge_facts(tree_id: int) -> list[EdgeFact]:
    """The dependencies of a tree, in the order in which each task lists them. One query."""
    rows = Dependency.objects.filter(task__tree=tree_id).order_by("task_id", "position")
    return [EdgeFact(*row) for row in rows.values_list(Hex("task_id"), Hex("depends_on_id"), "required")]


def run_facts(run: Run, now: datetime) -> RunFacts:
    """The run as it is or, where its tasks have moved on since, as it was. At most four queries."""
    tasks = task_facts(run.tree_id, run)
    then, timings = _attempts(run, tasks, now)
    moved = [t for t in tasks.values() if not t.in_run and (t.run_number or 0) > run.number]
    if moved:
        ends = _ends_without_attempt(run)
        before = _before(run) if run.mode != Mode.ALL else {}
        for task in moved:
            tasks[task.id] = _past(task, run, then.get(task.id), ends.get(task.id), before.get(task.id))
    return RunFacts(tasks, timings)


def _fact(row: tuple[Any, ...], run: Run | None, isolated: dict[str, bool], *, active: bool) -> TaskFact:
    (task_id, name, status, executor, priority, position, linked, run_id, number, by, error, *times) = row
    ready_at, retry_at, stop_requested_at, started_at, completed_at = times
    return TaskFact(
        id=task_id.hex,
        name=name,
        status=status,
        executor=executor,
        priority=priority,
        position=position,
        isolated=isolated.get(executor, True),
        linked=linked is not None,
        in_run=run is not None and run_id == run.pk,
        active=active,
        run_number=number,
        blocked_by=by.hex if by else None,
        error=(error or "")[:MAX_ERROR],
        ready_at=ready_at,
        retry_at=retry_at,
        stop_requested_at=stop_requested_at,
        started_at=started_at,
        completed_at=completed_at,
    )


def _attempts(run: Run, tasks: dict[str, TaskFact], now: datetime) -> tuple[dict[str, _Then], dict[str, Timing]]:
    """(newest attempt, first start to last end) of each task that started in *run*."""
    rows = Attempt.objects.filter(run=run).order_by("number")
    then: dict[str, _Then] = {}
    first: dict[str, datetime] = {}
    for task_id, status, error, started, ended in rows.values_list(
        "task_id", "status", "error", "started_at", "completed_at"
    ):
        first.setdefault(task_id.hex, started)
        then[task_id.hex] = _Then(status, (error or "")[:MAX_ERROR], started, ended)
    timings = {}
    for hex_id, start in first.items():
        if hex_id in tasks:
            ended_s = seconds(run.started_at, then[hex_id].completed_at or now)
            timings[hex_id] = Timing(hex_id, tasks[hex_id].name, seconds(run.started_at, start), ended_s)
    return then, timings


def _ends_without_attempt(run: Run) -> dict[str, tuple[str, str | None, str, datetime]]:
    """Task -> (status, blocked by, error, at) of what this run blocked or cancelled."""
    kinds = [Kind.TASK_BLOCKED, Kind.TASK_CANCELLED]
    rows = Event.objects.filter(run=run, kind__in=kinds, task_id__isnull=False).order_by("seq")
    found: dict[str, tuple[str, str | None, str, datetime]] = {}
    for task_id, kind, data, at in rows.values_list("task_id", "kind", "data", "at"):
        if kind == Kind.TASK_BLOCKED:
            found[task_id.hex] = (Status.PENDING, data.get("blocked_by"), "", at)
        else:
            by = found[task_id.hex][1] if task_id.hex in found else None
            found[task_id.hex] = (Status.CANCELLED, by, str(data.get("error") or "")[:MAX_ERROR], at)
    return found


def _before(run: Run) -> dict[str, tuple[str, int]]:
    """Task -> (status, run number) of its newest attempt before *run*."""
    newest = (
        Attempt.objects.filter(task__tree=run.tree_id, run__number__lt=run.number)
        .order_by()
        .values("task_id")
        .annotate(newest=Max("pk"))
        .values("newest")
    )
    rows = Attempt.objects.filter(pk__in=newest).order_by()
    return {
        task_id.hex: (status, number)
        for task_id, status, number in rows.values_list("task_id", "status", "run__number")
    }


def _past(
    task: TaskFact,
    run: Run,
    then: _Then | None,
    end: tuple[str, str | None, str, datetime] | None,
    before: tuple[str, int] | None,
) -> TaskFact:
    """*task*, which a later run has taken over, as *run* left it."""
    bare = replace(
        task, blocked_by=None, error="", ready_at=None, retry_at=None, stop_requested_at=None, started_at=None,
        completed_at=None,
    )  # fmt: skip
    if end is not None:
        status, by, error, at = end
        started = then.started_at if then else None
        ended = at if status == Status.CANCELLED else None
        return replace(
            bare, status=status, blocked_by=by, error=error, in_run=True, started_at=started, completed_at=ended,
            run_number=run.number,
        )  # fmt: skip
    if then is not None:
        return replace(
            bare, status=then.status, error=then.error, in_run=True, started_at=then.started_at,
            completed_at=then.completed_at, run_number=run.number,
        )  # fmt: skip
    status, number = before or (Status.PENDING, None)
    return replace(bare, status=status, in_run=False, run_number=number)


def seconds(start: datetime, at: datetime) -> float:
    """From *start* to *at*; never negative: clocks may be set back."""
    return max(0.0, (at - start).total_seconds())
