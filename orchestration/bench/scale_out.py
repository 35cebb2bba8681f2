"""One measured run over worker processes on PostgreSQL, in a database of its own: how fast, in order, each once?"""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import psutil
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Max, Min

from orchestration.bench.executors import BenchNoop
from orchestration.bench.measure import judged, numbers_of
from orchestration.bench.waiting import at_rest, cpu_s, until
from orchestration.bench.workloads import Workload
from orchestration.builders.array import tree_from_array
from orchestration.domain.states import Kind, Status, WorkerKind
from orchestration.models import Attempt, Event, Run, Task, Worker
from orchestration.selectors.results import results_of_run
from orchestration.services.runs import run_start

TREES = 4  # the tasks are spread over so many runs that are active at once
PRIORITIES = 4
SEED = 7
START_S = 300.0  # a busy machine takes its time
TIMEOUT_S = 900.0
STOP_S = 20.0
REST_S = 1.2  # and the engine has heard of every worker


def measure_workers(
    workers: int,
    *,
    tasks: int,
    concurrency: int,
    task_ms: float,
    user: User,
    gate: Callable[[], None] | None = None,  # called when all but the engine is there
) -> dict[str, Any]:
    """The figures of *tasks* that wait for nothing, of four mixed priorities. Raises RuntimeError when it gets stuck.

    Measured is from the first start to the last end, by the rows: neither processes nor trees are made in that time.
    """
    runs = _prepare(tasks, task_ms, user)
    with contextlib.ExitStack() as stack:
        hands = _hands(stack, workers, concurrency)
        present = Worker.objects.filter(kind=WorkerKind.WORKER.value)
        until(lambda: present.count() == workers, START_S, "the workers")
        if gate is not None:
            gate()
        before = psutil.cpu_times()
        engine = stack.enter_context(_process(["engine"]))
        active = Run.objects.filter(pk__in=runs, completed_at=None)
        until(lambda: not active.exists(), TIMEOUT_S, "the end of the runs")
        busy = _busy_percent(before)
        cpu = _cpu(engine, hands)
    about = {"workers": workers, "concurrency": concurrency, "task_ms": task_ms}
    return about | _verdict(runs, workers * concurrency) | cpu | {"machine_busy_percent": busy}


def measure_shape(work: Workload, workers: int, *, concurrency: int, user: User) -> dict[str, Any]:
    """The figures of one tree of *work*. Raises RuntimeError when it gets stuck.

    Measured is from the first call until every result has been read back; engine and workers are there before.
    """
    with contextlib.ExitStack() as stack:
        hands = _hands(stack, workers, concurrency)
        engine = stack.enter_context(_process(["engine"]))
        until(lambda: Worker.objects.count() == workers + 1, START_S, "engine and workers")
        until(lambda: at_rest([engine, *hands], REST_S), START_S, "the end of their start")
        before, began = psutil.cpu_times(), time.perf_counter()
        tree = tree_from_array(owner=user, data=work.array(BenchNoop.id))
        submitted = time.perf_counter()
        run = run_start(user=user, tree_id=tree.pk)
        started = time.perf_counter()
        active = Run.objects.filter(pk=run.pk, completed_at=None)
        until(lambda: not active.exists(), TIMEOUT_S, "the end of the run", every_s=0.01)
        found = results_of_run(run.pk)
        seconds, busy = time.perf_counter() - began, _busy_percent(before)
        cpu = _cpu(engine, hands)
    about = {"workload": work.name, "workers": workers, "concurrency": concurrency, "task_ms": 0.0}
    speed = {"tasks": work.tasks, "seconds": round(seconds, 3), "tasks_per_s": round(work.tasks / seconds, 1)}
    speed |= {"submit_s": round(submitted - began, 3), "start_s": round(started - submitted, 3)}
    return about | speed | asdict(judged(work, numbers_of(tree.pk), found)) | cpu | {"machine_busy_percent": busy}


def _prepare(tasks: int, task_ms: float, user: User) -> list[int]:
    """Runs that have been started while no engine was there."""
    chance = random.Random(SEED)  # noqa: S311  (repeatable on purpose)
    shares = [tasks // TREES + (number < tasks % TREES) for number in range(TREES)]
    runs = []
    for share in shares:
        array: list[dict[str, Any]] = [{"id": "root", "name": "root"}]
        array += [
            {
                "id": f"t{i}",
                "name": f"t{i}",
                "parent_id": "root",
                "executor": BenchNoop.id,
                "inputs": {"i": i, "ms": task_ms},
                "priority": chance.randrange(PRIORITIES),
            }
            for i in range(share)
        ]
        tree = tree_from_array(owner=user, data=array)
        runs.append(run_start(user=user, tree_id=tree.pk).pk)
    return runs


def _verdict(runs: Sequence[int], slots: int) -> dict[str, Any]:
    attempts = Attempt.objects.filter(run__in=runs).exclude(executor="")
    span = attempts.aggregate(began=Min("started_at"), ended=Max("completed_at"))
    seconds = (span["ended"] - span["began"]).total_seconds()
    done = attempts.filter(status=Status.COMPLETED).count()
    tasks = Task.objects.filter(run__in=runs).exclude(executor="").count()
    starts = Event.objects.filter(run__in=runs, kind=Kind.TASK_STARTED)
    rows = attempts.filter(status=Status.COMPLETED).values_list("result", "task__priority")
    began = [priority for _, priority in sorted((result["s"], priority) for result, priority in rows if result)]
    return {
        "tasks": tasks,
        "seconds": round(seconds, 2),
        "tasks_per_s": round(tasks / seconds, 1),
        "each_done_once": done == tasks == attempts.count() == starts.count(),
        "inversions": inversions(began, slots),
    }


def inversions(priorities: Sequence[int], handed_out: int) -> int:
    """How many of the tasks that began in this order did so while more than *handed_out* better ones had not begun."""
    wrong = 0
    counts: Counter[int] = Counter()  # of those that begin later
    for priority in reversed(priorities):
        better = sum(count for level, count in counts.items() if level < priority)
        wrong += better > handed_out
        counts[priority] += 1
    return wrong


def _hands(stack: contextlib.ExitStack, workers: int, concurrency: int) -> list[psutil.Popen]:
    """So many worker processes, which end with *stack*."""
    return [stack.enter_context(_process(["worker", "--concurrency", str(concurrency)])) for _ in range(workers)]


@contextlib.contextmanager
def _process(command: list[str]) -> Iterator[psutil.Popen]:
    process = psutil.Popen([sys.executable, "-m", "django", *command], cwd=settings.BASE_DIR, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_S)


def _cpu(engine: psutil.Process, hands: Sequence[psutil.Process]) -> dict[str, float]:
    return {"engine_cpu_s": cpu_s(engine), "workers_cpu_s": round(sum(map(cpu_s, hands)), 2)}


def _busy_percent(before: Any) -> float:
    """Of all cores, whoever used them, since *before*."""
    after = psutil.cpu_times()
    idle = after.idle + getattr(after, "iowait", 0.0) - before.idle - getattr(before, "iowait", 0.0)
    total = sum(after[:8]) - sum(before[:8])
    return round(100 * (1 - idle / total), 1) if total else 0.0
