"""Reads for the overview, the queue and the workers page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q

from orchestration.domain.states import Status
from orchestration.models import Attempt, Run, Task, Tree, Worker
from orchestration.selectors.access import runs_for_read, trees_for_read

SHOWN = 8
QUEUE = 200
ALIVE = timedelta(seconds=30)  # a worker silent for longer is shown as gone
LONG_WAIT = timedelta(minutes=5)  # ready for longer than this needs attention


@dataclass(frozen=True, slots=True)
class Slots:
    """Places for running tasks in all live workers."""

    used: int
    total: int
    workers: int


@dataclass(frozen=True, slots=True)
class Overview:
    failed: list[Run]  # newest run of its tree, failed
    stuck: list[Task]  # ready for long without a slot
    active: list[Run]
    recent: list[Tree]
    slots: Slots
    done_today: int
    failed_today: int
    ready: int
    any_run: bool


def overview(user: Any, now: datetime) -> Overview:
    """What the first page shows, for what *user* may see. A constant number of queries."""
    runs = runs_for_read(user).select_related("tree", "started_by")
    newest = runs.filter(number=F("tree__run_count"))
    today = runs_for_read(user).filter(completed_at__gte=now - timedelta(hours=24))
    done, bad = (Count("pk", filter=Q(status=status)) for status in (Status.COMPLETED, Status.FAILED))
    ended = today.aggregate(done=done, bad=bad)
    trees = trees_for_read(user)
    ready = Task.objects.filter(ready_at__isnull=False, status=Status.PENDING, tree__in=trees)
    active = list(runs.filter(status=Status.IN_PROGRESS).order_by("-pk")[:SHOWN])
    failed = list(newest.filter(status=Status.FAILED).order_by("-completed_at")[:SHOWN])
    return Overview(
        failed=failed,
        stuck=list(ready.filter(ready_at__lt=now - LONG_WAIT).select_related("tree").order_by("ready_at")[:SHOWN]),
        active=active,
        recent=list(trees.select_related("owner").order_by("-updated_at")[:SHOWN]),
        slots=slots(now),
        done_today=ended["done"],
        failed_today=ended["bad"],
        ready=ready.count(),
        any_run=bool(active or failed or ended["done"]) or runs.exists(),
    )


def slots(now: datetime) -> Slots:
    """Slots used and present over the workers that are alive."""
    alive = workers(now, only_alive=True)
    used = Attempt.objects.filter(status=Status.IN_PROGRESS).count()
    able = sum(bool(w.process_slots or w.async_slots) for w in alive)  # an engine may leave all work to workers
    return Slots(used=used, total=sum(w.process_slots for w in alive), workers=able)


def workers(now: datetime, *, only_alive: bool = False) -> list[Worker]:
    """Workers, newest first; the 50 last ones, or those with a heartbeat in the last half minute."""
    found = Worker.objects.order_by("-started_at")
    if only_alive:
        found = found.filter(heartbeat_at__gte=now - ALIVE, stopped_at__isnull=True)
    return list(found[:50])


def worker_load() -> dict[str, int]:
    """Worker id -> attempts that it runs."""
    running = Attempt.objects.filter(status=Status.IN_PROGRESS).order_by().values("worker").annotate(n=Count("pk"))
    return {row["worker"]: row["n"] for row in running}


def queue(user: Any) -> list[Task]:
    """The ready tasks that *user* may see, in the order in which they will start."""
    ready = Task.objects.filter(ready_at__isnull=False, status=Status.PENDING, tree__in=trees_for_read(user))
    return list(ready.select_related("tree", "run").order_by("priority", "ready_at", "position")[:QUEUE])
