"""`manage.py up`: everything in one command and one process."""

from __future__ import annotations

import ipaddress
from argparse import ArgumentParser
from typing import Any

from daphne.endpoints import build_endpoint_description_strings
from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils.module_loading import import_string
from twisted.internet.error import CannotListenError

from orchestration.builders.bulk import worker as bulk_worker
from orchestration.builders.samples import samples_load
from orchestration.conf import conf
from orchestration.engine.embedded import EmbeddedEngine, EngineHeld
from orchestration.engine.server import DatabaseFileLost, Engine, EngineServer
from orchestration.engine.standby import StandbyEngine
from orchestration.management import database_file
from orchestration.management.first_start import admin_create, alone, data_dir_prepare, database_prepare
from orchestration.management.reach import REMEDY, unreachable

OURSELF = "127.0.0.1"  # where the samples find this server
ENGINE_HELD = 3  # exit code
BACKLOG = 1024  # connections that wait to be taken: after a restart all viewers come back at once
CLOSE_TIMEOUT_S = 5  # for an answer to end after its connection has closed


class Command(BaseCommand):
    help = "Prepare everything (tables, first user, samples) and serve the dashboard with its engine."
    requires_system_checks = [Tags.security, Tags.urls, Tags.models, Tags.templates]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
        parser.add_argument("--no-engine", action="store_true", help="serve pages only: start no task")

    def execute(self, *args: Any, **options: Any) -> str | None:
        _nothing_is_lost()  # before the system checks, of which some connect: that would make an empty file
        return super().execute(*args, **options)

    def handle(self, *, host: str, port: int, no_engine: bool, **options: Any) -> None:
        data_dir_prepare(settings.DATA_DIR)
        if problem := unreachable():
            raise CommandError(f"{problem} {REMEDY}")
        self._prepare(port)
        _allow_http_to_ourselves(port)
        server = EngineServer(
            import_string(settings.ASGI_APPLICATION),
            endpoints=[f"{one}:backlog={BACKLOG}" for one in build_endpoint_description_strings(host=host, port=port)],
            engine=None if no_engine else self._engine(),
            announce=lambda: self._announce(host, port, engine=not no_engine),
            watch=database_file.Watch(),
            application_close_timeout=CLOSE_TIMEOUT_S,
        )
        bulk_worker.wake()  # operations that the last process has left
        connection.close()  # this thread serves from here on: its connection is for others
        server.run()
        if server.failure is not None:
            raise _explained(server.failure, host, port)
        self.stdout.write("Stopped.")

    def _prepare(self, port: int) -> None:
        with alone():
            if database_prepare():
                self.stdout.write("The database is up to date.")
            database_file.remember()
            self._first_user(port)

    def _engine(self) -> Engine:
        """On PostgreSQL one that stands by while another process leads; a data directory has only one."""
        if connection.vendor != "postgresql":
            return EmbeddedEngine()
        hands_out = conf().dispatch == "workers"
        return StandbyEngine(lambda: EmbeddedEngine(hands_out=hands_out), self._say)

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _first_user(self, port: int) -> None:
        created = admin_create()
        if created is None:
            return
        user, password = created
        trees = samples_load(owner=user, server=f"{OURSELF}:{port}")
        self.stdout.write(f"Loaded {len(trees)} sample trees.")
        self.stdout.write(self.style.SUCCESS(f"First user: {user.get_username()}   Password: {password}"))
        self.stdout.write("The password is shown only now; change it with: python3 manage.py changepassword admin")

    def _announce(self, host: str, port: int, *, engine: bool) -> None:
        shown = _reached_as(host)
        address = f"[{shown}]" if ":" in shown else shown
        without = "" if engine else ", without an engine"
        self.stdout.write(f"Serving http://{address}:{port}/{without}. Stop with Ctrl+C.")
        if not _is_loopback(host) and not settings.HTTPS:
            self.stdout.write(self.style.WARNING("Reachable from the network without TLS: see docs/settings.md."))
        self.stdout.flush()


def _nothing_is_lost() -> None:
    """Raises CommandError when the file of the database that was there before is not there any more, or not whole."""
    try:
        database_file.check()
    except database_file.DatabaseLost as lost:
        raise CommandError(str(lost), returncode=database_file.GONE) from None


def _allow_http_to_ourselves(port: int) -> None:
    """The samples call our own /healthz: loopback is closed to the http executor otherwise."""
    settings.ORCHESTRATION["http_own"].append(f"{OURSELF}:{port}")
    settings.ORCHESTRATION["http_ports"].append(str(port))


def _reached_as(host: str) -> str:
    """The address to open in a browser on this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"
    return host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _explained(failure: BaseException, host: str, port: int) -> BaseException:
    if isinstance(failure, EngineHeld):
        return CommandError(str(failure), returncode=ENGINE_HELD)
    if isinstance(failure, DatabaseFileLost):
        return CommandError(str(failure), returncode=database_file.GONE)
    if isinstance(failure, CannotListenError):
        cause = f"Cannot listen on {host}:{port}: {failure.socketError.strerror}."
        return CommandError(f"{cause} Stop what uses it, or choose another with --port.")
    return failure
