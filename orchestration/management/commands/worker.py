"""`manage.py worker`: run attempts for the engine, on this machine."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from orchestration.conf import conf
from orchestration.domain.ready_queue import DEFAULT_QUEUE
from orchestration.engine.serving import serve
from orchestration.engine.worker import WorkerProcess
from orchestration.management.processes import check_tables, only_on_postgresql


class Command(BaseCommand):
    help = "Run tasks that an engine hands out (PostgreSQL). Start as many as you like, on any number of machines."
    requires_system_checks = [Tags.security]

    def add_arguments(self, parser: ArgumentParser) -> None:
        settings = conf()
        queues = ", ".join(sorted({DEFAULT_QUEUE, *settings.queues.values()}))
        parser.add_argument(
            "--queues", nargs="+", default=[], metavar="QUEUE", help=f"serve only these, of: {queues} (default: all)"
        )
        parser.add_argument(
            "--concurrency",
            type=int,
            metavar="N",
            help=f"tasks at a time: N in processes of their own and N in the loop (default: {settings.process_slots} "
            f"and {settings.async_slots})",
        )

    def handle(self, *, queues: list[str], concurrency: int | None, **options: Any) -> None:
        only_on_postgresql("worker")
        check_tables()
        settings = conf()
        if concurrency is not None:
            if concurrency < 1:
                raise CommandError("--concurrency: must be at least 1", returncode=2)
            settings = replace(settings, process_slots=concurrency, async_slots=concurrency)
        known = {DEFAULT_QUEUE, *settings.queues.values()}
        chosen = {name for text in queues for name in text.split(",") if name}
        if unknown := sorted(chosen - known):
            remedy = f"there are {', '.join(sorted(known))} (APFLOW_QUEUES)"
            raise CommandError(f"--queues: there is no queue '{unknown[0]}': {remedy}", returncode=2)
        process = WorkerProcess(settings, chosen)
        shown = ", ".join(sorted(chosen or known))
        self.stdout.write(f"Worker {process.worker} serves {shown}. Stop with Ctrl+C.")
        self.stdout.flush()
        connection.close()
        asyncio.run(serve(process))
        self.stdout.write("Stopped.")
