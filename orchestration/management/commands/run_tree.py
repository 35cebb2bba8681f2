"""`manage.py run_tree FILE`: store a tree, run it to its end, say how it went. No server is needed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from orchestration.builders.array import tree_from_array
from orchestration.domain.errors import AlreadyFinished, Invalid, OrchestrationError
from orchestration.domain.states import Status
from orchestration.engine.embedded import EngineHeld
from orchestration.engine.headless import drive
from orchestration.management.first_start import data_dir_prepare, database_prepare
from orchestration.management.local_user import owner_named
from orchestration.management.run_screen import RunScreen, failures, first_line, last_line, plain
from orchestration.models import Run, Tree
from orchestration.selectors.results import Glance, glance_at, report_of_run
from orchestration.services.runs import run_cancel, run_start

FAILED, BAD_FILE, INTERRUPTED = 1, 2, 130  # exit codes
POLL_S = 0.2  # how often a run of another process is looked at
MAX_PROBLEMS, MAX_TEXT = 20, 500


class Command(BaseCommand):
    help = "Store the tree that a JSON or YAML file describes and run it. Exit codes: 0 completed, 1 not, 2 bad file."
    requires_system_checks = [Tags.security]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="an array of tasks, as JSON or YAML")
        parser.add_argument("--watch", action="store_true", help="show the progress of every running task")
        parser.add_argument("--json", action="store_true", help="print one JSON object with all results, nothing else")
        parser.add_argument("--owner", default="", help="user name; default: the first superuser, or a user 'local'")

    def handle(self, *, file: str, watch: bool, owner: str, **options: Any) -> None:
        raw = _read(file)
        data_dir_prepare(settings.DATA_DIR)
        database_prepare()
        user = owner_named(owner)
        tree = _tree(user, raw, file)
        console = Console(stderr=options["json"], highlight=False)
        screen = RunScreen(console) if watch else None
        follower = Follower(user, tree, screen, quiet=options["json"] or watch, write=self.stdout.write)
        try:
            with screen or nullcontext(), follower.listening():
                asyncio.run(follower.run_to_end())
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)  # the second one: nobody waits for what still runs
        except OrchestrationError as error:
            raise CommandError(_told(file, [str(error)]), returncode=BAD_FILE) from None
        self._end(follower, json_wanted=options["json"])

    def _end(self, follower: Follower, *, json_wanted: bool) -> None:
        """Print how it ended and leave with the exit code that says so."""
        glance = glance_at(follower.run_id)
        if json_wanted:
            self.stdout.write(json.dumps(report_of_run(follower.run_id)))
        else:
            self.stdout.write(last_line(glance))
            if follower.screen is None:
                for line in failures(glance):
                    self.stderr.write(f"failed: {line}")
        if glance.status != Status.COMPLETED:
            sys.exit(INTERRUPTED if follower.interrupted else FAILED)


class Follower:
    """Starts a run of *tree*, looks at it until it has ended, and cancels it at Ctrl-C."""

    def __init__(self, user: User, tree: Tree, screen: RunScreen | None, *, quiet: bool, write: Any) -> None:
        self.screen = screen
        self.run_id = 0
        self.interrupted = False
        self._user = user
        self._tree = tree
        self._quiet = quiet
        self._write = write
        self._asked = False

    async def run_to_end(self) -> None:
        """Work with an engine of our own; when a server has one on this data directory, let that do the work."""
        try:
            await drive(self._start, watch=self._look)
        except EngineHeld:
            await sync_to_async(self._start)()
            while (await Run.objects.aget(pk=self.run_id)).is_active:
                await self._look()
                await asyncio.sleep(POLL_S)
        if self.screen is not None:
            await self._look()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within it the first Ctrl-C only asks to cancel. The second is an ordinary one."""
        if threading.current_thread() is not threading.main_thread():
            yield  # a signal cannot be caught here
            return
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self, *_args: object) -> None:
        self.interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _start(self) -> Run:
        run = run_start(user=self._user, tree_id=self._tree.pk)
        self.run_id = run.pk
        if not self._quiet:
            self._write(first_line(glance_at(run.pk)))
        return run

    async def _look(self) -> None:
        if self.interrupted and not self._asked:
            self._asked = True
            await sync_to_async(self._cancel)()
        if self.screen is not None:
            glance: Glance = await sync_to_async(glance_at)(self.run_id)
            self.screen.show(glance)

    def _cancel(self) -> None:
        try:
            run_cancel(user=self._user, run_id=self.run_id, reason="Ctrl-C")
        except AlreadyFinished:
            return  # it was faster


def _read(file: str) -> bytes:
    try:
        with Path(file).open("rb") as opened:
            return opened.read(settings.MAX_BODY_BYTES + 1)
    except OSError as error:
        raise CommandError(_told(file, [error.strerror or "cannot be read"]), returncode=BAD_FILE) from None


def _tree(user: User, raw: bytes, file: str) -> Tree:
    try:
        return tree_from_array(owner=user, raw=raw)
    except Invalid as error:
        problems = list(map(str, error.problems))
    except OrchestrationError as error:
        problems = [str(error)]
    raise CommandError(_told(file, problems), returncode=BAD_FILE)


def _told(file: str, problems: list[str]) -> str:
    shown = partial(plain, limit=MAX_TEXT)
    lines = [f"{shown(file)}: {shown(problem)}" for problem in problems[:MAX_PROBLEMS]]
    more = len(problems) - len(lines)
    return "\n".join([*lines, f"and {more} more"] if more else lines)
