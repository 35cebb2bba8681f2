"""`manage.py bench_growth`: what partitions of events, lists read meanwhile and a second database cost and bring."""

from __future__ import annotations

import json
from argparse import SUPPRESS, ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from orchestration.bench.growth_events import LEAST
from orchestration.management import bench_growth
from orchestration.management.processes import only_on_postgresql

WIDTH = 150
LIMITS = {
    "events": (LEAST, 100_000_000), "tasks": (2, 40_000), "workers": (1, 64), "concurrency": (1, 256),
    "rounds": (1, 100),
}  # fmt: skip


class Command(BaseCommand):
    help = "Measure how to grow past one PostgreSQL (docs/scale-out.md), in databases of its own on that server."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--events", type=int, default=400_000, help="in each table (default: %(default)s)")
        parser.add_argument("--tasks", type=int, default=4000, help="of all databases (default: %(default)s)")
        parser.add_argument("--workers", type=int, default=2, help="of all databases (default: %(default)s)")
        parser.add_argument("--concurrency", type=int, default=32, help="of each worker (default: %(default)s)")
        parser.add_argument("--rounds", type=int, default=1, help="of tasks, in turn (default: %(default)s)")
        parts = ",".join(bench_growth.PARTS)
        parser.add_argument("--only", default=parts, help="which of %(default)s")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
        parser.add_argument("--inside", help=SUPPRESS)  # the folder: measure --part in this process
        parser.add_argument("--part", default="", help=SUPPRESS)
        parser.add_argument("--meet", default="", help=SUPPRESS)
        parser.add_argument("--shards", type=int, default=1, help=SUPPRESS)
        parser.add_argument("--reading", action="store_true", help=SUPPRESS)

    def handle(self, *, inside: str | None, part: str, only: str, **options: Any) -> None:
        if inside is not None:
            self.stdout.write(json.dumps(bench_growth.inside(part, inside, options)))
            return
        parts = _parts(only)
        for name, (least, most) in LIMITS.items():
            if not least <= options[name] <= most:
                raise CommandError(f"--{name}: from {least} to {most}", returncode=2)
        if bench_growth.SHARDS in parts and options["workers"] < bench_growth.MOST:
            raise CommandError("--workers: at least 2 for two databases", returncode=2)
        only_on_postgresql("bench_growth")
        figures = bench_growth.measure_parts(parts, options)
        self.stdout.write(json.dumps(figures) if options["json"] else _text(figures))
        rows = [row for found in figures.values() for row in found]
        if any(row.get("inversions") or not row.get("each_done_once", True) for row in rows):
            raise CommandError("tasks were not done once, or not in the order of their priorities")


def _parts(only: str) -> list[str]:
    parts = only.split(",")
    if not set(parts) <= set(bench_growth.PARTS):
        raise CommandError(f"--only: write some of {','.join(bench_growth.PARTS)}", returncode=2)
    return parts


def _text(figures: dict[str, bench_growth.Rows]) -> str:
    console = Console(highlight=False, width=WIDTH)
    with console.capture() as captured:
        for name, rows in figures.items():
            console.print(bench_growth.table(name, rows))
    return captured.get()
