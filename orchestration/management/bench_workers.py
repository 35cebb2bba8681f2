"""`manage.py bench --scale-out`: the same work with more and more workers, each time in a new database."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError
from django.db import connection
from rich.table import Table

from orchestration.bench.floor_claims import floor_claims_per_s
from orchestration.bench.scale_out import measure_shape, measure_workers
from orchestration.bench.workloads import workload
from orchestration.management.bench_apart import measured_apart, prepare_inside
from orchestration.management.figures import shown
from orchestration.management.processes import only_on_postgresql

TIMEOUT_S = 1200
COLUMNS = (
    "workload", "workers", "tasks", "submit_s", "start_s", "seconds", "tasks_per_s", "step_ms_median",
    "order_violations", "stored_ok", "each_done_once", "inversions", "engine_cpu_s", "workers_cpu_s",
    "machine_busy_percent", "floor_claims_per_s", "share_of_floor",
)  # fmt: skip


def measure_all(counts: list[int], options: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures for each number of workers. Raises CommandError."""
    only_on_postgresql("bench --scale-out")
    return [_measured(count, options) for count in counts]


def counts_of(text: str) -> list[int]:
    """Numbers of workers written as "1,2,4". Raises CommandError."""
    try:
        counts = [int(word) for word in text.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1:
        raise CommandError("--workers: write numbers such as 1,2,4", returncode=2)
    return counts


def inside(workers: int, folder: str, options: dict[str, Any]) -> dict[str, Any]:
    """Measure once, in this process, whose database is new."""
    prepare_inside(folder)
    user = User.objects.create_superuser("bench", password=None)
    concurrency = options["concurrency"]
    if options["workload"] is not None:
        work = workload(options["workload"], options["n"])
        figures = measure_shape(work, workers, concurrency=concurrency, user=user)
    else:
        figures = measure_workers(
            workers, tasks=options["n"], concurrency=concurrency, task_ms=options["task_ms"], user=user
        )
    floor = floor_claims_per_s(_place(), workers, options["n"])
    return figures | {"floor_claims_per_s": round(floor, 1), "share_of_floor": round(figures["tasks_per_s"] / floor, 3)}


def _place() -> dict[str, Any]:
    """This database as psycopg's keywords."""
    keywords = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    place = connection.settings_dict
    return {keyword: place[key] for key, keyword in keywords.items() if place[key]}


def table(rows: list[dict[str, Any]]) -> Table:
    """*rows* for people."""
    first = rows[0]
    title = f"{first['tasks']:,} tasks of {first['task_ms']:g} ms, {first['concurrency']} at a time per worker"
    columns = [name for name in COLUMNS if name in first]
    made = Table(*(name.replace("_", " ") for name in columns), title=title)
    for column in made.columns:
        column.justify = "right"
    for row in rows:
        made.add_row(*(shown(row[name]) for name in columns))
    return made


def as_should_be(row: dict[str, Any]) -> bool:
    """Whether each task was done once, in order, and its result stored."""
    whole: bool = row["each_done_once"] if "each_done_once" in row else row["stored_ok"]
    return whole and not (row.get("inversions") or row.get("order_violations"))


def _measured(workers: int, options: dict[str, Any]) -> dict[str, Any]:
    arguments = ["--scale-out", "--workers", str(workers), *([options["workload"]] if options["workload"] else [])]
    for name in ("n", "concurrency", "task_ms"):
        arguments += [f"--{name.replace('_', '-')}", str(options[name])]
    figures: dict[str, Any] = measured_apart(
        "bench",
        arguments,
        timeout_s=TIMEOUT_S,
        environment={"APFLOW_APPS": "orchestration.bench", "APFLOW_LOG_LEVEL": "ERROR"},
    )
    return figures
