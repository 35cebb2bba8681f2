"""`manage.py bench`: how many tasks a second, compared with what the disk and the database allow, or by workers."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from argparse import SUPPRESS, ArgumentParser
from pathlib import Path
from statistics import median
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from rich.console import Console
from rich.table import Table

from orchestration.bench import workloads
from orchestration.bench.floor_django import floor_of_django
from orchestration.bench.measure import measure
from orchestration.conf import conf
from orchestration.domain.errors import Invalid
from orchestration.management import bench_workers
from orchestration.management.first_start import database_prepare

KEYS = (
    "workload", "n", "tasks", "tasks_per_s", "step_ms_median", "step_ms_p95", "cpu_s", "peak_mb", "synchronous",
    "floor_tasks_per_s", "order_violations", "stored_ok",
)  # fmt: skip
DJANGO_KEYS = ("django_floor_tasks_per_s", "django_floor_step_ms_median")
PARTS = ("submit_ms", "start_ms", "run_ms", "list_ms")
MEDIAN = ("tasks_per_s", "step_ms_median", "step_ms_p95", "cpu_s", "peak_mb", "floor_tasks_per_s", *PARTS, *DJANGO_KEYS)
RUN_TIMEOUT_S = 600
WORKERS_N = 10_000


class Command(BaseCommand):
    help = "Measure the engine with a standard workload, on a database of its own in a temporary folder."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        shapes = "W1 fan-out, W2 chain, W3 layers, W4 fan-in"
        parser.add_argument("workload", nargs="?", choices=workloads.SHAPES, help=shapes)
        parser.add_argument("--n", type=int, help="size (default: 1000, of a chain 500, with --scale-out 10000)")
        parser.add_argument("--runs", type=int, default=3, help="repetitions; medians are shown (default: %(default)s)")
        parser.add_argument("--synchronous", choices=["FULL", "NORMAL"], default="FULL", help="default: %(default)s")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
        parser.add_argument("--compare-django", action="store_true", help="also measure the least that Django can do")
        parser.add_argument("--scale-out", action="store_true", help="measure worker processes (PostgreSQL)")
        parser.add_argument("--workers", default="1,2,4", help="with --scale-out: how many (default: %(default)s)")
        parser.add_argument("--concurrency", type=int, default=32, help="of each worker (default: %(default)s)")
        parser.add_argument("--task-ms", type=float, default=0.0, help="what a task waits (default: %(default)s)")
        parser.add_argument("--inside", help=SUPPRESS)  # the folder: measure once, in this process

    def handle(self, *, workload: str | None, n: int | None, inside: str | None, **options: Any) -> None:
        if options["scale_out"]:
            self._scale_out({**options, "n": n or WORKERS_N}, inside)
            return
        if workload is None:
            raise CommandError("name a workload (W1, W2, W3, W4), or use --scale-out", returncode=2)
        size = workloads.DEFAULT_N[workload] if n is None else n
        _check(workload, size, options["runs"])
        if inside is not None:
            self.stdout.write(json.dumps(_inside(workload, size, Path(inside), options["compare_django"])))
            return
        measured = [_once(workload, size, options) for _ in range(options["runs"])]
        figures = _medians(measured)
        if options["json"]:
            keys = KEYS + DJANGO_KEYS if options["compare_django"] else KEYS
            self.stdout.write(json.dumps({key: figures[key] for key in keys}))
        else:
            console = Console(highlight=False)
            with console.capture() as captured:
                console.print(_table(figures, options["runs"]))
            self.stdout.write(captured.get())
        if figures["order_violations"] or not figures["stored_ok"]:
            raise CommandError("the stored results are not what they should be: see order_violations and stored_ok")

    def _scale_out(self, options: dict[str, Any], inside: str | None) -> None:
        counts = bench_workers.counts_of(options["workers"])
        if inside is not None:
            self.stdout.write(json.dumps(bench_workers.inside(counts[0], options)))
            return
        rows = bench_workers.measure_all(counts, options)
        if options["json"]:
            self.stdout.write(json.dumps(rows))
        else:
            console = Console(highlight=False, width=130)
            with console.capture() as captured:
                console.print(bench_workers.table(rows))
            self.stdout.write(captured.get())
        if any(row["inversions"] or not row["each_done_once"] for row in rows):
            raise CommandError("tasks were not done once, or not in the order of their priorities")


def _check(name: str, n: int, runs: int) -> None:
    try:
        tasks = workloads.workload(name, n).tasks
    except Invalid as error:
        raise CommandError(f"--n: {error.problems[0].message}", returncode=2) from None
    if tasks > conf().max_tasks:
        raise CommandError(f"--n: {tasks} tasks, but a tree has at most {conf().max_tasks}", returncode=2)
    if runs < 1:
        raise CommandError("--runs: must be at least 1", returncode=2)


def _once(name: str, n: int, options: dict[str, Any]) -> dict[str, Any]:
    """Measure in a new process, which inherits nothing: neither a person's settings nor what this process has done."""
    with tempfile.TemporaryDirectory(prefix="apflow-bench-") as folder:
        command = [sys.executable, "-m", "django", "bench", name, "--n", str(n), "--inside", folder]
        command += ["--compare-django"] if options["compare_django"] else []
        environment = {
            "DJANGO_SETTINGS_MODULE": "apflow_site.settings",
            "APFLOW_DATA_DIR": folder,
            "APFLOW_SQLITE_SYNCHRONOUS": options["synchronous"],
        }
        done = subprocess.run(
            command,
            cwd=settings.BASE_DIR,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
        )
    if done.returncode:
        raise CommandError(f"the measured process failed:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _inside(name: str, n: int, folder: Path, compare_django: bool) -> dict[str, Any]:
    if folder.resolve() != settings.DATA_DIR or Path(connection.settings_dict["NAME"]).exists():
        raise CommandError("--inside needs a new folder that is APFLOW_DATA_DIR too")
    database_prepare()
    user = User.objects.create_superuser("bench", password=None)
    work = workloads.workload(name, n)
    figures = measure(work, user)
    return figures | (floor_of_django(work) if compare_django else {})


def _medians(measured: list[dict[str, Any]]) -> dict[str, Any]:
    figures = dict(measured[0])
    for key in MEDIAN:
        values = [one[key] for one in measured if one.get(key) is not None]
        if values:
            figures[key] = round(median(values), 3)
    figures["order_violations"] = sum(one["order_violations"] for one in measured)
    figures["stored_ok"] = all(one["stored_ok"] for one in measured)
    return figures


def _table(figures: dict[str, Any], runs: int) -> Table:
    title = f"{figures['workload']} {figures['n']}, median of {runs}" if runs > 1 else None
    table = Table("figure", "value", title=title or f"{figures['workload']} {figures['n']}")
    table.columns[1].justify = "right"
    for key in KEYS[2:] + PARTS + DJANGO_KEYS:
        if key in figures:
            table.add_row(key, _shown(figures[key]))
    for key in ("floor_tasks_per_s", "django_floor_tasks_per_s"):
        if key in figures:
            table.add_row(f"share of {key}", f"{figures['tasks_per_s'] / figures[key]:.0%}")
    return table


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return "-" if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)
