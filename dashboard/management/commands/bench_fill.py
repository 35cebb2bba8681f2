"""`manage.py bench_fill`: a database with a million runs and ten million events, and how fast its pages are."""

from __future__ import annotations

import json
from argparse import SUPPRESS, ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from dashboard.bench.answers import served
from dashboard.bench.fill import fill
from dashboard.bench.large import asks, measure_large, size_mb
from dashboard.bench.tables import text_of
from orchestration.management.bench_apart import measured_apart, prepare_inside

TIMEOUT_S = 4 * 3600
LIMITS = {"runs": (100, 10_000_000), "events": (200, 100_000_000), "trees": (0, 1_000_000), "rounds": (0, 100)}


class Command(BaseCommand):
    help = "Fill a database of its own with many runs and events, then measure lists, searches and the API on it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--runs", type=int, default=1_000_000, help="default: %(default)s")
        parser.add_argument("--events", type=int, default=10_000_000, help="default: %(default)s")
        parser.add_argument("--trees", type=int, default=0, help="default: one for fifty runs")
        parser.add_argument("--rounds", type=int, default=5, help="requests of each; 0: only fill (default: 5)")
        parser.add_argument("--into", type=Path, help="a new folder, which stays: serve it by APFLOW_DATA_DIR (SQLite)")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
        parser.add_argument("--inside", help=SUPPRESS)  # the folder: fill and measure in this process

    def handle(self, *, inside: str | None, into: Path | None, **options: Any) -> None:
        for name, (least, most) in LIMITS.items():
            if not least <= options[name] <= most:
                raise CommandError(f"--{name}: from {least} to {most}", returncode=2)
        if inside is not None:
            self.stdout.write(json.dumps(_inside(inside, options)))
            return
        arguments = [word for name in LIMITS for word in (f"--{name}", str(options[name]))]
        if into is not None:
            _make(into)
        figures = measured_apart("bench_fill", arguments, timeout_s=TIMEOUT_S, folder=into, sqlite=into is not None)
        self.stdout.write(json.dumps(figures) if options["json"] else text_of(figures))


def _make(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise CommandError(f"--into: {folder} is not empty: name a new folder", returncode=2)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _inside(folder: str, options: dict[str, Any]) -> dict[str, Any]:
    prepare_inside(folder)
    filled = fill(options["runs"], options["events"], options["trees"])
    filling = {"database": connection.vendor, "trees": filled.trees, "runs": filled.runs, "events": filled.events}
    figures: dict[str, Any] = {"filled": [filling | {"fill_s": filled.fill_s, "size_mb": size_mb()}]}
    if options["rounds"]:
        every = asks(filled)
        connection.close()
        with served("--no-engine") as url:
            figures["answers"] = measure_large(filled, every, url, options["rounds"])
    return figures
