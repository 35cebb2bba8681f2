"""What Django allows: the least that an engine with a durable log can do, written with Django's own means.

Tasks are stored by `bulk_create`; a scheduler in memory runs them and a thread writes the completions that have piled
up during the last commit as one transaction (`executemany`). A task is released only when that commit is done.
No attempts, no events, no edges, no inputs to merge: an engine that keeps a history cannot be as fast.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db import connection, models, transaction

from orchestration.bench.workloads import Workload, judge
from orchestration.domain.states import Status

SLOTS = 64
FINISH = "UPDATE bench_floor SET state = %s, progress = 1, result = %s, started_at = %s, finished_at = %s WHERE id = %s"

type Done = tuple[int, dict[str, Any]]


class FloorTask(models.Model):
    """A task of usual width: 14 columns, 3 indexes. Its table lives only in the benchmark's own database."""

    tree_id = models.IntegerField()
    parent_id = models.IntegerField(null=True, db_index=True)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=16)
    priority = models.IntegerField(default=2)
    progress = models.FloatField(default=0.0)
    attempt = models.IntegerField(default=0)
    inputs = models.JSONField()
    result = models.JSONField(null=True)
    error = models.TextField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "bench"
        db_table = "bench_floor"
        indexes = [
            models.Index(fields=["tree_id", "state"], name="bench_floor_tree"),
            models.Index(fields=["state", "priority"], name="bench_floor_ready"),
        ]

    def __str__(self) -> str:
        return self.name


class Floor:
    """One pass over a workload; use it once."""

    def __init__(self, work: Workload) -> None:
        self.work = work
        self.results: dict[int, dict[str, Any]] = {}
        self._open = [len(before) for before in work.waits_for]
        self._after: list[list[int]] = [[] for _ in work.waits_for]
        for number, before in enumerate(work.waits_for):
            for other in before:
                self._after[other].append(number)
        self._ready = [number for number in reversed(range(work.tasks)) if not self._open[number]]
        self._running = 0
        self._finished: queue.SimpleQueue[Done | None] = queue.SimpleQueue()
        self._keep: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Run every task; returns when the last completion is committed."""
        self._loop = asyncio.get_running_loop()
        self._all_done = self._loop.create_future()
        writer = threading.Thread(target=self._write, name="bench-floor")
        writer.start()
        self._start()
        await self._all_done
        self._finished.put(None)
        await asyncio.to_thread(writer.join)

    def _start(self) -> None:
        while self._ready and self._running < SLOTS:
            self._running += 1
            task = self._loop.create_task(self._task(self._ready.pop()))
            self._keep.add(task)
            task.add_done_callback(self._keep.discard)

    async def _task(self, number: int) -> None:
        began = time.time()
        result = {"i": number, "s": began, "e": time.time()}
        self._running -= 1
        self._finished.put((number, result))
        self._start()

    def _released(self, batch: list[Done]) -> None:
        for number, result in batch:
            self.results[number] = result
            for waiting in self._after[number]:
                self._open[waiting] -= 1
                if not self._open[waiting]:
                    self._ready.append(waiting)
        if len(self.results) == self.work.tasks:
            self._all_done.set_result(None)
        self._start()

    def _write(self) -> None:
        try:
            while (first := self._finished.get()) is not None:
                batch = [first]
                while not self._finished.empty() and (more := self._finished.get()) is not None:
                    batch.append(more)
                _commit(batch)
                self._loop.call_soon_threadsafe(self._released, batch)
        finally:
            connection.close()


def floor_of_django(work: Workload) -> dict[str, Any]:
    """Tasks per second, and the median step, of that floor. Effects: a table `bench_floor` in the database."""
    with connection.schema_editor() as editor:
        editor.create_model(FloorTask)
    floor = Floor(work)
    began = time.perf_counter()
    _store(range(work.tasks))
    asyncio.run(floor.run())
    seconds = time.perf_counter() - began
    return {
        "django_floor_tasks_per_s": round(work.tasks / seconds, 1),
        "django_floor_step_ms_median": judge(work, floor.results).step_ms_median,
    }


def _store(numbers: Iterable[int]) -> None:
    now = datetime.now(UTC)
    FloorTask._default_manager.bulk_create(
        FloorTask(id=i + 1, tree_id=1, name=f"t{i}", state=Status.PENDING.value, inputs={"i": i}, created_at=now)
        for i in numbers
    )


def _commit(batch: list[Done]) -> None:
    rows = [
        (Status.COMPLETED.value, json.dumps(result), _time(result["s"]), _time(result["e"]), number + 1)
        for number, result in batch
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(FINISH, rows)


def _time(at: float) -> str:
    return str(datetime.fromtimestamp(at, UTC))
