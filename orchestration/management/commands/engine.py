"""`manage.py engine`: the engine alone, without pages."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand
from django.db import connection

from orchestration.engine.embedded import EmbeddedEngine
from orchestration.engine.serving import serve
from orchestration.engine.standby import StandbyEngine
from orchestration.management.processes import check_tables, only_on_postgresql


class Command(BaseCommand):
    help = "Decide what runs, and hand it out to worker processes (PostgreSQL). A second one stands by."
    requires_system_checks = [Tags.security]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--here", action="store_true", help="run the tasks in this process, too: needs no workers")

    def handle(self, *, here: bool, **options: Any) -> None:
        only_on_postgresql("engine")
        check_tables()
        connection.close()
        engine = StandbyEngine(lambda: EmbeddedEngine(hands_out=not here), self._say)
        self._say("Engine started. Stop with Ctrl+C.")
        asyncio.run(serve(engine))
        self._say("Stopped.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
