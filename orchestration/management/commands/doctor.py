"""`manage.py doctor`: is everything well, and if not, what helps?"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration.management.diagnosis import Check, Level, diagnose

COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


class Command(BaseCommand):
    help = "Check this installation. Ends with 1 when something has failed; warnings end with 0."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, **options: Any) -> None:
        checks = diagnose()
        failed = any(check.state == Level.FAIL for check in checks)
        if options["json"]:
            self.stdout.write(json.dumps({"ok": not failed, "checks": [asdict(check) for check in checks]}))
        else:
            Console(file=self.stdout, highlight=False).print(_table(checks))  # type: ignore[arg-type]
        if failed:
            sys.exit(1)


def _table(checks: list[Check]) -> Table:
    table = Table("Check", "State", "Found", "Remedy")
    for check in checks:
        state = Text(check.state, style=COLOURS[check.state])
        table.add_row(check.name, state, Text(check.found), Text(check.remedy))
    return table
