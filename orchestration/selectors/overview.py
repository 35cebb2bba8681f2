"""Reads for the overview, the queue and the workers page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count

from orchestration.domain.states import Status
from orchestration.executors import registry
from orchestration.models import Attempt, Run, Task, Tree, Worker
from orchestration.selectors.access import runs_for_read, tasks_for_read, trees_for_read
from orchestration.selectors.run_query import RunFilter, run_query

SHOWN = 8
FAILURES = 500  # runs that are looked at for those that have not been made good since
QUEUE = 200
ALIVE = timedelta(seconds=30)  # a worker silent for longer is shown as gone
LONG_WAIT = timedelta(minutes=5)  # ready for longer than this needs attention


@dataclass(frozen=True, slots=True)
class Places:
    """Slots of one kind in all live workers."""

    used: int
    total: int

    @property
    def full(self) -> bool:
        """Whether a task of this kind has to wait although somebody could run it."""
        return 0 < self.total <= self.used


@dataclass(frozen=True, slots=True)
class Slots:
    """Places for running tasks in all live workers."""

    process: Places
    asynchronous: Places
    workers: int

    @property
    def used(self) -> int:
        """Attempts under way."""
        return self.process.used + self.asynchronous.used

    @property
    def total(self) -> int:
        """Attempts that could be."""
        return self.process.total + self.asynchronous.total


@dataclass(frozen=True, slots=True)
class Overview:
    failed: list[Run]  # newest run of its tree, failed
    stuck: list[Task]  # ready for long without a slot
    active: list[Run]  # the newest of those under way
    running: int  # how many are
    recent: list[Tree]
    slots: Slots
    done_today: int
    failed_today: int
    ready: int
    any_run: bool


def overview(user: Any, now: datetime) -> Overview:
    """What the first page shows, for what *user* may see. A constant number of queries."""
    runs = runs_for_read(user).select_related("tree", "started_by")
    today = runs_for_read(user).filter(completed_at__gte=now - timedelta(hours=24))
    done, bad = (today.filter(status=status).count() for status in (Status.COMPLETED, Status.FAILED))
    trees = trees_for_read(user)
    ready = tasks_for_read(user).filter(ready_at__isnull=False, status=Status.PENDING)
    running = runs.filter(status=Status.IN_PROGRESS)
    active = list(running.order_by("-pk")[:SHOWN])
    failed = _failed(user)
    return Overview(
        failed=failed,
        stuck=list(ready.filter(ready_at__lt=now - LONG_WAIT).select_related("tree").order_by("ready_at")[:SHOWN]),
        active=active,
        running=running.count(),
        recent=list(trees.select_related("owner").order_by("-updated_at")[:SHOWN]),
        slots=slots(now),
        done_today=done,
        failed_today=bad,
        ready=ready.count(),
        any_run=bool(active or failed or done) or runs.exists(),
    )


def _failed(user: Any) -> list[Run]:
    """The newest runs of their trees that have failed, of the last FAILURES failures that *user* may see."""
    failures = run_query(user, RunFilter(state=Status.FAILED)).newest(FAILURES)
    ids = failures.select_related(None).values_list("pk", "tree_id", "number", "completed_at")
    counts = dict(Tree.objects.filter(pk__in={tree for _, tree, _, _ in ids}).values_list("pk", "run_count"))
    newest = [(at, pk) for pk, tree, number, at in ids if counts[tree] == number]
    chosen = [pk for _, pk in sorted(newest, reverse=True)[:SHOWN]]
    found = Run.objects.filter(pk__in=chosen).select_related("tree", "started_by")
    return sorted(found, key=lambda run: chosen.index(run.pk))


def slots(now: datetime) -> Slots:
    """Slots used and present over the workers that are alive. Two queries."""
    alive = workers(now, only_alive=True)
    live = Attempt.objects.filter(status=Status.IN_PROGRESS).order_by().values_list("executor")
    used: Counter[bool] = Counter()
    for executor, count in live.annotate(n=Count("pk")):
        used[registry.is_isolated(executor)] += count
    return Slots(
        process=Places(used[True], sum(w.process_slots for w in alive)),
        asynchronous=Places(used[False], sum(w.async_slots for w in alive)),
        workers=sum(bool(w.process_slots or w.async_slots) for w in alive),  # an engine may leave all work to workers
    )


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
    ready = tasks_for_read(user).filter(ready_at__isnull=False, status=Status.PENDING)
    return list(ready.select_related("tree", "run").order_by("priority", "ready_at", "position")[:QUEUE])
