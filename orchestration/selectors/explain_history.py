"""What the forecasts rest on: durations of earlier attempts, and the slots of the engines that are alive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from orchestration.conf import conf
from orchestration.domain.explain.dryrun import SlotLimits, expected_seconds
from orchestration.domain.explain.queueing import Queued, Running, Slots
from orchestration.domain.states import Status
from orchestration.executors import registry
from orchestration.models import Attempt, Run, Task
from orchestration.selectors.access import sees_all, trees_for_read
from orchestration.selectors.overview import workers

MAX_RUNS = 100  # runs that are looked at for durations
MAX_ATTEMPTS = 20_000  # attempts that are read for them; the newest run is always read


def history(tree_id: int) -> dict[str, float]:
    """Task id -> expected seconds, from the newest runs of the tree. Two queries."""
    runs = Run.objects.filter(tree=tree_id, completed__gt=0).order_by("-number").values_list("pk", "completed")
    chosen: list[int] = []
    total = 0
    for run_id, completed in runs[:MAX_RUNS]:
        total += completed
        if chosen and total > MAX_ATTEMPTS:
            break
        chosen.append(run_id)
    return expected_seconds(_durations(chosen))


def _durations(run_ids: list[int]) -> Iterator[tuple[str, float]]:
    rows = Attempt.objects.filter(run__in=run_ids, status=Status.COMPLETED).exclude(executor="").order_by("-pk")
    for task_id, started, ended in rows.values_list("task_id", "started_at", "completed_at").iterator(2000):
        if ended is not None:
            yield task_id.hex, (ended - started).total_seconds()


def slot_limits(now: datetime) -> tuple[SlotLimits, bool]:
    """(slots of all live engines, whether there is one). One query."""
    alive = [w for w in workers(now, only_alive=True) if w.process_slots or w.async_slots]
    return SlotLimits(sum(w.process_slots for w in alive), sum(w.async_slots for w in alive)), bool(alive)


def slots_for(user: Any, now: datetime, *, with_queue: bool, run_limit: int = 0) -> Slots:
    """Slots, holders and queue over all runs; what *user* may not see is counted, not named. At most five queries."""
    limits, _alive = slot_limits(now)
    if not with_queue:
        return Slots(limits.process, limits.asynchronous)
    return Slots(
        process=limits.process,
        asynchronous=limits.asynchronous,
        running=tuple(_running(user)),
        ready=tuple(_ready()),
        executor_limits=conf().executor_limits,
        run_limit=run_limit,
        ageing_s=conf().ageing_s,
    )


def _running(user: Any) -> Iterator[Running]:
    live = Attempt.objects.filter(status=Status.IN_PROGRESS)
    own = None if sees_all(user) else set(live.filter(task__tree__in=trees_for_read(user)).values_list("pk", flat=True))
    rows = live.order_by("started_at", "pk")
    columns = ("pk", "task_id", "task__name", "executor", "started_at", "run_id")
    for pk, task_id, name, executor, since, run_id in rows.values_list(*columns):
        seen = own is None or pk in own
        yield Running(
            task_id.hex if seen else None,
            name if seen else "a task of another user",
            registry.is_isolated(executor),
            since,
            executor,
            run_id,
        )


def _ready() -> Iterator[Queued]:
    """Every ready task, with the priority that its run has given it."""
    active = Run.objects.filter(status=Status.IN_PROGRESS).values_list("overrides", flat=True)
    priorities = {
        key.replace("-", ""): change["priority"]
        for overrides in active
        for key, change in overrides.items()
        if "priority" in change
    }
    rows = Task.objects.filter(ready_at__isnull=False, status=Status.PENDING).order_by()
    for task_id, priority, ready_at, run_id, position, executor in rows.values_list(
        "pk", "priority", "ready_at", "run_id", "position", "executor"
    ):
        if ready_at is None:
            continue
        own = priorities.get(task_id.hex, priority)
        yield Queued(task_id.hex, own, ready_at, run_id or 0, position, registry.is_isolated(executor), executor)
