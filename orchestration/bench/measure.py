"""One measured run in this process: submit, start, wait, list. The data directory must be a fresh one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from orchestration.bench.executors import BenchNoop
from orchestration.bench.floor import floor_tasks_per_s
from orchestration.bench.waiting import at_rest, until
from orchestration.bench.workloads import Verdict, Workload, judge, together
from orchestration.builders.array import tree_from_array
from orchestration.domain.states import Status
from orchestration.engine.embedded import EmbeddedEngine
from orchestration.engine.headless import wait_ended
from orchestration.models import Run, Task, Tree
from orchestration.selectors.results import results_of_run
from orchestration.services.runs import run_start

PROC_STATUS = Path("/proc/self/status")
REST_S = 0.1  # without work for so long, the engine has had its first look at the rows: that belongs to its start
START_S = 60.0
MB = 1024 * 1024


@dataclass(slots=True)
class Marks:
    """Seconds on one clock: when each part of the measured time ended."""

    trees: int
    began: float
    submitted: float
    started: float
    ended: float
    listed: float
    cpu_s: float
    peak_mb: float  # until the runs had ended


def measure(work: Workload, user: User, *, trees: int = 1) -> dict[str, Any]:
    """The figures of *trees* runs of *work* that are active at once. Raises RuntimeError when one does not complete.

    Measured is from the first call until every result has been read back over a new connection; imports, tables and
    the start of the engine come before.
    """
    runs, marks, results = asyncio.run(_run(work, user, trees))
    if bad := [run.status for run in runs if run.status != Status.COMPLETED]:
        raise RuntimeError(f"a run ended as {bad[0]}")
    verdicts: list[Verdict] = []
    layers: dict[str, int] = {}
    for run, found in zip(runs, results, strict=True):
        numbers = numbers_of(run.tree_id)
        verdicts.append(judged(work, numbers, found))
        layers |= {task_id.hex: work.layer_of[number] for task_id, number in numbers.items()}
    connection.close()
    floor = floor_tasks_per_s(
        Path(connection.settings_dict["NAME"]),
        settings.DATA_DIR / "floor.sqlite3",
        layers,
        settings.SQLITE_SYNCHRONOUS,
    )
    return _figures(work, marks, together(verdicts)) | {"floor_tasks_per_s": round(floor, 1)}


def numbers_of(tree_id: int) -> dict[UUID, int]:
    """Task -> its number in the workload that the tree was made of."""
    names = Task.objects.filter(tree=tree_id).values_list("id", "name")
    return {task_id: int(name[1:]) for task_id, name in names}


def judged(work: Workload, numbers: Mapping[UUID, int], found: Mapping[str, Any]) -> Verdict:
    """What the results of a tree of *work* say. *numbers*: of its tasks; *found*: task -> result."""
    return judge(work, {number: found.get(str(task_id)) for task_id, number in numbers.items()})


async def _run(work: Workload, user: User, trees: int) -> tuple[list[Run], Marks, list[dict[str, Any]]]:
    engine = EmbeddedEngine()
    await engine.start()
    this = psutil.Process()
    await asyncio.to_thread(until, lambda: at_rest([this], REST_S), START_S, "the end of the engine's start")
    data = work.array(BenchNoop.id)
    try:
        cpu, began = time.process_time(), time.perf_counter()
        made: list[Tree] = [await sync_to_async(tree_from_array)(owner=user, data=data) for _ in range(trees)]
        submitted = time.perf_counter()
        del data  # whoever submits a tree does not keep it in the engine's process
        runs: list[Run] = [await sync_to_async(run_start)(user=user, tree_id=tree.pk) for tree in made]
        started = time.perf_counter()
        await asyncio.gather(*(wait_ended(engine, run.pk) for run in runs))
        ended, peak_mb = time.perf_counter(), _peak_mb()  # what is read back below is the benchmark's own
        results = [await sync_to_async(_list)(run.pk) for run in runs]
        cpu = time.process_time() - cpu
        marks = Marks(trees, began, submitted, started, ended, time.perf_counter(), cpu, peak_mb)
        for run in runs:
            await run.arefresh_from_db()
        return runs, marks, results
    finally:
        await engine.stop()


def _list(run_id: int) -> dict[str, Any]:
    connection.close()  # what a new connection does not see is not stored
    return results_of_run(run_id)


def _figures(work: Workload, marks: Marks, verdict: Verdict) -> dict[str, Any]:
    return {
        "workload": work.name,
        "n": work.n,
        "tasks": work.tasks * marks.trees,
        "tasks_per_s": round(work.tasks * marks.trees / (marks.listed - marks.began), 1),
        "step_ms_median": verdict.step_ms_median,
        "step_ms_p95": verdict.step_ms_p95,
        "cpu_s": round(marks.cpu_s, 3),
        "peak_mb": marks.peak_mb,
        "synchronous": settings.SQLITE_SYNCHRONOUS,
        "order_violations": verdict.order_violations,
        "stored_ok": verdict.stored_ok,
        "submit_ms": _ms(marks.began, marks.submitted),
        "start_ms": _ms(marks.submitted, marks.started),
        "run_ms": _ms(marks.started, marks.ended),
        "list_ms": _ms(marks.ended, marks.listed),
    }


def _ms(earlier: float, later: float) -> float:
    return round((later - earlier) * 1000, 1)


def _peak_mb() -> float:
    """Peak memory of this process alone: getrusage would also count what the process was forked from."""
    if PROC_STATUS.exists():
        for line in PROC_STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    memory = psutil.Process().memory_info()
    return round(getattr(memory, "peak_wset", memory.rss) / MB, 1)
