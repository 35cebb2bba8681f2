"""`manage.py bench_start`: how long it takes to start."""

from __future__ import annotations

import json
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dashboard.bench.start import loaded, measure_start
from dashboard.bench.tables import text_of


class Command(BaseCommand):
    help = "Measure how long `up` and `run_tree` take to start, on a database of their own in a temporary folder."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rounds", type=int, default=5, help="starts of each; medians (default: %(default)s)")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")

    def handle(self, *, rounds: int, **options: Any) -> None:
        if not 1 <= rounds <= 100:
            raise CommandError("--rounds: from 1 to 100", returncode=2)
        with tempfile.TemporaryDirectory(prefix="apflow-bench-") as folder:
            figures = {"starts": measure_start(Path(folder), rounds), "loaded": [loaded()]}
        self.stdout.write(json.dumps(figures) if options["json"] else text_of(figures))
