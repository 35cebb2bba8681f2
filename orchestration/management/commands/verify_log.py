"""`manage.py verify_log`: do the rows say what the events tell?"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestration.selectors.event_log import run_faults, run_ids


class Command(BaseCommand):
    help = "Fold the events of each run and compare with its rows. Ends with 1 and names what differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", nargs="*", type=int, help="id of a run (default: all)")

    def handle(self, *, run: list[int], **options: Any) -> None:
        runs = wrong = 0
        for run_id in run or run_ids():
            found = run_faults(run_id)
            if found is None:
                if run:
                    raise CommandError(f"no run {run_id}")
                continue  # deleted meanwhile
            runs += 1
            wrong += bool(found)
            for fault in found:
                self.stdout.write(f"run {run_id}: {fault}")
        if wrong:
            raise CommandError(f"{wrong} of {runs} runs differ from their events")
        self.stdout.write(f"{runs} runs are as their events tell.")
