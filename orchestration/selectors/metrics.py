"""Figures about the whole installation, for monitoring: a fixed number of bounded queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Max, Q

from orchestration.domain.states import Kind, Status, WorkerKind
from orchestration.models import Attempt, Event, Report, Run, Task, Worker
from orchestration.selectors.overview import Slots, slots, workers

DAY = timedelta(hours=24)
RECENT_EVENTS = 4000  # newest events that latencies are taken from
LIVE = Status.IN_PROGRESS
ENDS = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What `/metrics` shows."""

    queue: dict[str, int]  # executor -> tasks that wait for a slot
    retrying: int  # tasks that wait for their next try
    slots: Slots
    active_runs: int
    runs_24h: dict[str, int]  # how they ended -> number
    attempts_24h: dict[str, int]
    latencies_s: tuple[float, ...]  # ready -> started of recent tasks, ascending
    heartbeat_age_s: float | None  # None: no engine
    database_bytes: int
    events: int  # estimate: the newest id
    engines: int = 0  # processes that are alive
    workers: int = 0
    reports: int = 0  # told by workers and not taken in by the engine yet


def metrics(now: datetime) -> Metrics:
    """The figures as they are now. Reads at most 4000 events."""
    since = now - DAY
    alive = workers(now, only_alive=True)
    return Metrics(
        queue=_queue(),
        retrying=Task.objects.filter(status=Status.PENDING, retry_at__isnull=False, run__status=LIVE).count(),
        slots=slots(now),
        active_runs=Run.objects.filter(status=LIVE).count(),
        runs_24h=_ended(Run.objects.filter(completed_at__gte=since).aggregate(**_counts())),
        attempts_24h=_ended(Attempt.objects.filter(completed_at__gte=since).aggregate(**_counts())),
        latencies_s=_latencies(),
        heartbeat_age_s=heartbeat_age_s(now),
        database_bytes=database_bytes(),
        events=Event.objects.aggregate(newest=Max("pk"))["newest"] or 0,
        engines=sum(worker.kind == WorkerKind.ENGINE for worker in alive),
        workers=sum(worker.kind == WorkerKind.WORKER for worker in alive),
        reports=Report.objects.count(),
    )


def heartbeat_age_s(now: datetime) -> float | None:
    """Seconds since the newest sign of life of an engine that has not stopped; None without one."""
    engines = Worker.objects.filter(stopped_at=None, kind=WorkerKind.ENGINE.value)
    newest = engines.aggregate(newest=Max("heartbeat_at"))["newest"]
    return None if newest is None else max(0.0, (now - newest).total_seconds())


def database_bytes() -> int:
    """Size of the database, without SQLite's write-ahead log."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
        else:
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        return int(cursor.fetchone()[0])


def _queue() -> dict[str, int]:
    ready = Task.objects.filter(ready_at__isnull=False, status=Status.PENDING)
    return {row["executor"]: row["n"] for row in ready.order_by().values("executor").annotate(n=Count("pk"))}


def _counts() -> dict[str, Count]:
    return {status.value: Count("pk", filter=Q(status=status)) for status in ENDS}


def _ended(row: dict[str, int]) -> dict[str, int]:
    return {status.value: row[status.value] for status in ENDS}


def _latencies() -> tuple[float, ...]:
    newest = Event.objects.order_by("-pk").values_list("kind", "run_id", "task_id", "at")[:RECENT_EVENTS]
    ready: dict[tuple[int, object], datetime] = {}
    found = []
    for kind, run_id, task_id, at in reversed(newest):
        if kind == Kind.TASK_READY:
            ready[run_id, task_id] = at
        elif kind == Kind.TASK_STARTED and (since := ready.pop((run_id, task_id), None)) is not None:
            found.append(max(0.0, (at - since).total_seconds()))
    return tuple(sorted(found))
