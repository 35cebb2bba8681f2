"""One measured run in this process: submit, start, wait, list. The data directory must be a fresh one."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from orchestration.bench.executors import BenchNoop
from orchestration.bench.floor import floor_tasks_per_s
from orchestration.bench.workloads import Verdict, Workload, judge
from orchestration.builders.array import tree_from_array
from orchestration.domain.states import Status
from orchestration.engine.embedded import EmbeddedEngine
from orchestration.engine.headless import wait_ended
from orchestration.models import Run, Task, Tree
from orchestration.selectors.results import results_of_run
from orchestration.services.runs import run_start

PROC_STATUS = Path("/proc/self/status")
MB = 1024 * 1024


@dataclass(slots=True)
class Marks:
    """Seconds on one clock: when each part of the measured time ended."""

    began: float
    submitted: float
    started: float
    ended: float
    listed: float
    cpu_s: float


def measure(work: Workload, user: User) -> dict[str, Any]:
    """The figures of one run of *work*. Raises RuntimeError when the run does not complete.

    Measured is from the first call until every result has been read back over a new connection; imports, tables and
    the start of the engine come before.
    """
    run, marks, results = asyncio.run(_run(work, user))
    peak_mb = _peak_mb()  # before the floor adds its own
    if run.status != Status.COMPLETED:
        raise RuntimeError(f"the run ended as {run.status}")
    numbers = {task_id: int(name[1:]) for task_id, name in Task.objects.values_list("id", "name")}
    verdict = judge(work, {number: results.get(str(task_id)) for task_id, number in numbers.items()})
    layers = {task_id.hex: work.layer_of[number] for task_id, number in numbers.items()}
    connection.close()
    floor = floor_tasks_per_s(
        Path(connection.settings_dict["NAME"]),
        settings.DATA_DIR / "floor.sqlite3",
        layers,
        settings.SQLITE_SYNCHRONOUS,
    )
    return _figures(work, marks, verdict) | {"peak_mb": peak_mb, "floor_tasks_per_s": round(floor, 1)}


async def _run(work: Workload, user: User) -> tuple[Run, Marks, dict[str, Any]]:
    engine = EmbeddedEngine()
    await engine.start()
    data = work.array(BenchNoop.id)
    try:
        cpu, began = time.process_time(), time.perf_counter()
        tree: Tree = await sync_to_async(tree_from_array)(owner=user, data=data)
        submitted = time.perf_counter()
        run: Run = await sync_to_async(run_start)(user=user, tree_id=tree.pk)
        started = time.perf_counter()
        await wait_ended(engine, run.pk)
        ended = time.perf_counter()
        results = await sync_to_async(_list)(run.pk)
        marks = Marks(began, submitted, started, ended, time.perf_counter(), time.process_time() - cpu)
        await run.arefresh_from_db()
        return run, marks, results
    finally:
        await engine.stop()


def _list(run_id: int) -> dict[str, Any]:
    connection.close()  # what a new connection does not see is not stored
    return results_of_run(run_id)


def _figures(work: Workload, marks: Marks, verdict: Verdict) -> dict[str, Any]:
    return {
        "workload": work.name,
        "n": work.n,
        "tasks": work.tasks,
        "tasks_per_s": round(work.tasks / (marks.listed - marks.began), 1),
        "step_ms_median": verdict.step_ms_median,
        "step_ms_p95": verdict.step_ms_p95,
        "cpu_s": round(marks.cpu_s, 3),
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
