"""The tasks of a run as rows of a window, as the run sees them or saw them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from orchestration.domain.states import Display, Kind, Status, display_state
from orchestration.models import Attempt, Dependency, Event, Run, Task
from orchestration.selectors.handled import handled_among
from orchestration.selectors.run_outline import Group, Reach, groups_of, outline
from orchestration.selectors.run_times import task_times

WINDOW = 200  # rows of one page of a run
WALKED = 2000  # tasks up to which every parent is asked for its reach
MAX_WAITS = 3  # dependencies named in "waits for"


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task as a run saw it or sees it."""

    id: UUID
    position: int
    depth: int
    name: str
    executor: str
    priority: int
    state: Display
    reused: bool  # outside the scope of this run: its earlier result was taken
    folds: bool  # has children
    progress: float  # 0.0..1.0
    error: str
    started_at: datetime | None
    completed_at: datetime | None
    ready_at: datetime | None
    retry_at: datetime | None
    blocked_by: str
    blocked_by_status: str
    waits: tuple[str, ...] = ()  # names of dependencies that have not ended, at most MAX_WAITS
    waits_more: int = 0
    group: Group | None = None
    handled: bool = False  # its failure: only optional dependents waited for it
    reach: Reach | None = None  # of what is under it
    could_start: datetime | None = None
    tries: tuple[tuple[datetime, datetime | None, str], ...] = ()  # start, end, status; oldest first


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a run's rows: what page, filter and live updates agree on."""

    start: int = 0  # position of the first row, in the outline
    state: str = ""  # one Display value, or "" for all
    search: str = ""

    @property
    def filtered(self) -> bool:
        return bool(self.state or self.search)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a window and where the neighbouring windows start (None: there is none)."""

    rows: list[TaskRow]
    previous: int | None
    next: int | None
    seq: int = 0
    ids: frozenset[UUID] = field(default_factory=frozenset)


def run_rows(run: Run, window: Window) -> Rows:
    """The rows of *window*, in outline order. A constant number of queries whatever the size of the tree."""
    seq = Run.objects.values_list("seq", flat=True).get(pk=run.pk)  # before the rows: they are at least this new
    tasks = _filtered(run, window)
    here = list(_values(run, tasks.filter(position__gte=window.start).order_by("position")[: WINDOW + 1]))
    following = here[WINDOW]["position"] if len(here) > WINDOW else None
    previous = None
    if window.start:
        before = tasks.filter(position__lt=window.start).order_by("-position").values_list("position", flat=True)
        previous = min(before[:WINDOW], default=None)
    rows = _rows(run, here[:WINDOW])
    return Rows(rows=rows, previous=previous, next=following, seq=seq, ids=frozenset(r.id for r in rows))


def changed_rows(run: Run, ids: Collection[UUID]) -> list[TaskRow]:
    """The rows of the tasks *ids*, in outline order."""
    return _rows(run, list(_values(run, Task.objects.filter(tree_id=run.tree_id, pk__in=ids).order_by("position"))))


def pending_dependents(run: Run, ids: Collection[UUID]) -> set[UUID]:
    """The tasks that still wait and have one of *ids* as dependency: their "waits for" changes with it."""
    # the rest of the condition is checked here: in the query, SQLite would walk all waiting tasks for each of *ids*
    found = Dependency.objects.filter(depends_on__in=ids).values_list("task_id", "task__run_id", "task__status")
    return {task_id for task_id, run_id, status in found if run_id == run.pk and status == Status.PENDING}


def group_ancestors(run: Run, ids: Collection[UUID]) -> set[UUID]:
    """The groups above the tasks *ids*: their progress changes with them."""
    found: set[UUID | None] = set()
    path: list[UUID | None] = []
    for task_id, depth, executor in outline(run, "pk", "depth", "executor"):
        del path[depth:]
        path.append(None if executor else task_id)
        if task_id in ids:
            found.update(path[:-1])
    return {task_id for task_id in found if task_id is not None}


def _filtered(run: Run, window: Window) -> QuerySet[Task]:
    tasks = Task.objects.filter(tree_id=run.tree_id)
    if window.search:
        tasks = tasks.filter(name__icontains=window.search)
    if window.state:
        tasks = tasks.filter(_state_filter(run, window.state))
    return tasks


def _state_filter(run: Run, state: str) -> Q:
    in_run = Q(run=run)
    pending = in_run & Q(status=Status.PENDING)
    table = {
        Display.RUNNING: in_run & Q(status=Status.IN_PROGRESS),
        Display.BLOCKED: pending & Q(blocked_by__isnull=False),
        Display.WAITING: pending & Q(blocked_by__isnull=True),
    }
    if state in table:
        return table[Display(state)]
    past = Attempt.objects.filter(run=run, status=state).values("task_id")
    return (in_run & Q(status=state)) | (Q(run__gt=run.pk) & Q(pk__in=past))


_FIELDS = (
    "id", "position", "depth", "name", "executor", "priority", "status", "run_id", "progress", "error", "started_at",
    "completed_at", "ready_at", "retry_at", "stop_requested_at", "blocked_by_id", "blocked_by__name",
    "blocked_by__status", "folds",
)  # fmt: skip


def _values(run: Run, tasks: QuerySet[Task]) -> Any:
    children = Task.objects.filter(parent=OuterRef("pk"))
    return tasks.annotate(folds=Exists(children)).values(*_FIELDS)


def _rows(run: Run, values: list[dict[str, Any]]) -> list[TaskRow]:
    newer = [v for v in values if v["run_id"] is not None and v["run_id"] > run.pk]
    past = _past_attempts(run, [v["id"] for v in newer]) if newer else {}
    stuck = _blocked_then(run) if newer else set()
    waits = _waits(run, [v["id"] for v in values if v["status"] == Status.PENDING and v["run_id"] == run.pk])
    groups, reaches = groups_of(run) if _shows_groups(run, values) else ({}, {})
    rows = []
    for value in values:
        if value["run_id"] == run.pk:
            rows.append(_now(run, value, waits.get(value["id"], []), groups.get(value["id"])))
        elif value["run_id"] is not None and value["run_id"] > run.pk:
            rows.append(_then(value, past.get(value["id"]), blocked=value["id"] in stuck))
        else:
            rows.append(_outside(value))
    return _with_times(run, rows, reaches)


def _shows_groups(run: Run, values: list[dict[str, Any]]) -> bool:
    """Whether the walk over all tasks is worth it: always for groups, else only while it is short."""
    small = run.tree.task_count <= WALKED
    return any(value["folds"] and (small or not value["executor"]) for value in values)


def _with_times(run: Run, rows: list[TaskRow], reaches: dict[UUID, Reach]) -> list[TaskRow]:
    here = [row for row in rows if not row.reused]
    times = task_times(run, [row.id for row in here if row.started_at is not None])
    handled = handled_among([row.id for row in here if row.state == Display.FAILED])
    found = []
    for row in rows:
        own = None if row.reused else times.get(row.id)
        more: dict[str, Any] = {"reach": None if row.reused else reaches.get(row.id), "handled": row.id in handled}
        more |= {"could_start": own.could_start, "tries": own.tries} if own else {}
        found.append(replace(row, **more))
    return found


def _now(run: Run, value: dict[str, Any], waits: list[str], group: Group | None) -> TaskRow:
    state = display_state(
        value["status"],
        active=run.is_active,
        blocked=value["blocked_by_id"] is not None,
        ready=value["ready_at"] is not None,
        retrying=value["retry_at"] is not None,
        stopping=value["stop_requested_at"] is not None,
    )
    waits = waits if state == Display.WAITING else []
    return _row(value, state, waits=tuple(waits[:MAX_WAITS]), waits_more=max(0, len(waits) - MAX_WAITS), group=group)


def _then(value: dict[str, Any], attempt: Attempt | None, *, blocked: bool) -> TaskRow:
    """A row of an older run: the task itself has moved on, its attempts in that run have not."""
    if attempt is None:
        state = Display.BLOCKED if blocked else Display.IDLE
        cleared = {"error": None, "started_at": None, "completed_at": None, "progress": 0.0, "blocked_by__name": None}
        return _row({**value, **cleared}, state)
    state = Display.RUNNING if attempt.status == Status.IN_PROGRESS else Display(attempt.status)
    then = {
        "error": attempt.error,
        "started_at": attempt.started_at,
        "completed_at": attempt.completed_at,
        "progress": 1.0 if state == Display.COMPLETED else 0.0,
        "blocked_by__name": None,
    }
    return _row({**value, **then}, state)


def _outside(value: dict[str, Any]) -> TaskRow:
    state = display_state(
        value["status"], active=False, blocked=False, ready=False, retrying=False, stopping=False
    )  # of an earlier run, or of none
    return _row(value, state, reused=True)


def _row(value: dict[str, Any], state: Display, **more: Any) -> TaskRow:
    names = ("id", "position", "depth", "name", "executor", "priority", "progress", "started_at", "completed_at")
    return TaskRow(
        **{name: value[name] for name in names},
        ready_at=value["ready_at"],
        retry_at=value["retry_at"],
        folds=value["folds"],
        error=value["error"] or "",
        blocked_by=value["blocked_by__name"] or "",
        blocked_by_status=value["blocked_by__status"] or "",
        state=state,
        **{"reused": False, **more},
    )


def _past_attempts(run: Run, ids: list[UUID]) -> dict[UUID, Attempt]:
    attempts = Attempt.objects.filter(run=run, task__in=ids).order_by("number")
    wanted = ("task_id", "status", "error", "started_at", "completed_at", "number")
    return {a.task_id: a for a in attempts.only(*wanted)}


def _blocked_then(run: Run) -> set[UUID]:
    found = Event.objects.filter(run=run, kind=Kind.TASK_BLOCKED, task_id__isnull=False)
    return set(found.values_list("task_id", flat=True))


_WAITS = ("task_id", *(f"depends_on__{name}" for name in ("name", "run_id", "status", "blocked_by_id")))
OPEN = (Status.PENDING, Status.IN_PROGRESS)


def _waits(run: Run, ids: list[UUID]) -> dict[UUID, list[str]]:
    if not ids or not run.is_active:
        return {}
    # which of them are open is checked here: in the query, SQLite would walk all open tasks for each of *ids*
    found = Dependency.objects.filter(task__in=ids).order_by("task_id", "position").values_list(*_WAITS)
    waits: dict[UUID, list[str]] = {}
    for task_id, name, run_id, status, blocked_by in found:
        if run_id == run.pk and blocked_by is None and status in OPEN:
            waits.setdefault(task_id, []).append(name)
    return waits
