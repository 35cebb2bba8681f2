"""`manage.py bench`: how many tasks a second, compared with what the disk and the database allow, or by workers."""

from __future__ import annotations

import json
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from orchestration.bench import workloads
from orchestration.bench.idle import measure_idle
from orchestration.conf import conf
from orchestration.domain.errors import Invalid
from orchestration.management import bench_flat, bench_process, bench_workers
from orchestration.management.figures import shown

KEYS = (
    "workload", "n", "tasks", "tasks_per_s", "step_ms_median", "step_ms_p95", "cpu_s", "peak_mb", "synchronous",
    "floor_tasks_per_s", "order_violations", "stored_ok",
)  # fmt: skip
DJANGO_KEYS = ("django_floor_tasks_per_s", "django_floor_step_ms_median")
PARTS = ("submit_ms", "start_ms", "run_ms", "list_ms")
MEDIAN = ("tasks_per_s", "step_ms_median", "step_ms_p95", "cpu_s", "peak_mb", "floor_tasks_per_s", *PARTS, *DJANGO_KEYS)
WORKERS_N = 10_000
CONCURRENCY = 32
FLAT, IDLE = "flat", "idle"
WIDTH = 130


class Command(BaseCommand):
    help = "Measure the engine with a standard workload, on a database of its own in a temporary folder."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        shapes = (
            "W1 fan-out, W2 chain, W3 layers, W4 fan-in; flat: W3 from 100 to 100,000 tasks; idle: a server at rest"
        )
        parser.add_argument("workload", nargs="?", choices=[*workloads.SHAPES, FLAT, IDLE], help=shapes)
        sizes = "size (default: 1000, of a chain 500, of flat 100000, with --scale-out 10000)"
        parser.add_argument("--n", type=int, help=sizes)
        parser.add_argument("--runs", type=int, default=3, help="repetitions; medians are shown (default: %(default)s)")
        parser.add_argument("--synchronous", choices=["FULL", "NORMAL"], default="FULL", help="default: %(default)s")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
        parser.add_argument("--compare-django", action="store_true", help="also measure the least that Django can do")
        parser.add_argument(
            "--scale-out",
            action="store_true",
            help="measure worker processes, with many runs or one workload (PostgreSQL)",
        )
        parser.add_argument("--workers", default="1,2,4", help="with --scale-out: how many (default: %(default)s)")
        slots = f"of each worker (default: {CONCURRENCY}; with a workload as many as a worker has by itself)"
        parser.add_argument("--concurrency", type=int, help=slots)
        parser.add_argument("--task-ms", type=float, default=0.0, help="what a task waits (default: %(default)s)")
        parser.add_argument("--seconds", type=float, default=60.0, help="of idle (default: %(default)s)")
        parser.add_argument("--trees", type=int, default=1, help="so many at once (default: %(default)s)")
        parser.add_argument("--inside", help=SUPPRESS)  # the folder: measure once, in this process

    def handle(self, *, workload: str | None, n: int | None, inside: str | None, **options: Any) -> None:
        if options["scale_out"]:
            size = n or workloads.DEFAULT_N.get(workload or "", WORKERS_N)
            if options["concurrency"] is None:
                options["concurrency"] = conf().async_slots if workload else CONCURRENCY
            self._scale_out({**options, "workload": workload, "n": size}, inside)
            return
        if workload is None:
            raise CommandError("name a workload (W1, W2, W3, W4, flat, idle), or use --scale-out", returncode=2)
        if workload == IDLE:
            self._say(measure_idle(options["seconds"]), bench_flat.idle_table, as_json=options["json"])
        elif workload == FLAT:
            rows = bench_flat.measure_flat(n or bench_flat.MOST, options["synchronous"])
            self._say(rows, bench_flat.table, as_json=options["json"])
            _judge(rows)
        else:
            size = workloads.DEFAULT_N[workload] if n is None else n
            _check(workload, size, options)
            self._workload(workload, size, inside, options)

    def _workload(self, workload: str, n: int, inside: str | None, options: dict[str, Any]) -> None:
        if inside is not None:
            folder = Path(inside)
            figures = bench_process.inside(workload, n, folder, options["trees"], django=options["compare_django"])
            self.stdout.write(json.dumps(figures))
            return
        how = {"synchronous": options["synchronous"], "trees": options["trees"], "django": options["compare_django"]}
        figures = _medians([bench_process.measured(workload, n, **how) for _ in range(options["runs"])])
        if options["json"]:
            keys = KEYS + DJANGO_KEYS if options["compare_django"] else KEYS
            self.stdout.write(json.dumps({key: figures[key] for key in keys}))
        else:
            self._print(_table(figures, options["runs"]))
        _judge([figures])

    def _say(self, figures: Any, table: Callable[[Any], Table], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(figures))
        else:
            self._print(table(figures))

    def _print(self, table: Table) -> None:
        console = Console(highlight=False, width=WIDTH)
        with console.capture() as captured:
            console.print(table)
        self.stdout.write(captured.get())

    def _scale_out(self, options: dict[str, Any], inside: str | None) -> None:
        if options["workload"] in (FLAT, IDLE):
            raise CommandError("--scale-out: name one of W1, W2, W3, W4, or none", returncode=2)
        counts = bench_workers.counts_of(options["workers"])
        if inside is not None:
            self.stdout.write(json.dumps(bench_workers.inside(counts[0], inside, options)))
            return
        rows = bench_workers.measure_all(counts, options)
        self._say(rows, bench_workers.table, as_json=options["json"])
        if not all(map(bench_workers.as_should_be, rows)):
            raise CommandError("tasks were not done once, or not in their order")


def _judge(rows: Sequence[dict[str, Any]]) -> None:
    if any(row["order_violations"] or not row["stored_ok"] for row in rows):
        raise CommandError("the stored results are not what they should be: see order_violations and stored_ok")


def _check(name: str, n: int, options: dict[str, Any]) -> None:
    try:
        tasks = workloads.workload(name, n).tasks
    except Invalid as error:
        raise CommandError(f"--n: {error.problems[0].message}", returncode=2) from None
    if tasks > conf().max_tasks:
        raise CommandError(f"--n: {tasks} tasks, but a tree has at most {conf().max_tasks}", returncode=2)
    for option in ("runs", "trees"):
        if options[option] < 1:
            raise CommandError(f"--{option}: must be at least 1", returncode=2)


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
            table.add_row(key, shown(figures[key]))
    for key in ("floor_tasks_per_s", "django_floor_tasks_per_s"):
        if key in figures:
            table.add_row(f"share of {key}", f"{figures['tasks_per_s'] / figures[key]:.0%}")
    return table
