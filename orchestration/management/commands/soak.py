"""`manage.py soak`: random trees, people and faults for a while; then all that was accepted must have ended right."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from orchestration.management.own_database import new_database
from orchestration.soak.nemesis import ALL
from orchestration.soak.play import Report, Script, play

PREFIX = "apflow_soak_"


class Command(BaseCommand):
    help = (
        "Start real processes on a new, temporary database, use them and break them for a while, and compare what was "
        "accepted, done and committed. With DATABASE_URL of a PostgreSQL server on that server, else on SQLite."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--minutes", type=float, default=5.0, metavar="N", help="how long (default: %(default)g)")
        parser.add_argument("--seed", default="", metavar="S", help="of all chances; printed when it is not given")
        parser.add_argument(
            "--kills", type=int, default=0, metavar="N", help="end after N processes were killed instead"
        )
        parser.add_argument("--faults", default=",".join(ALL), metavar="A,B", help="only these (default: %(default)s)")
        parser.add_argument("--keep", action="store_true", help="keep the folder with logs and the SQLite file")
        parser.add_argument("--json", action="store_true", help="the report for programs")

    def handle(self, *, minutes: float, seed: str, kills: int, faults: str, keep: bool, **options: Any) -> None:
        chosen = [name.strip() for name in faults.split(",")]
        if unknown := sorted(set(chosen) - set(ALL)):
            raise CommandError(f"--faults: '{unknown[0]}' is none of {', '.join(ALL)}", returncode=2)
        if kills and "kill" not in chosen:
            raise CommandError("--kills: needs the fault kill", returncode=2)
        if not minutes > 0 or kills < 0:
            raise CommandError("--minutes: must be more than 0; --kills: not less", returncode=2)
        script = Script(seed or secrets.token_hex(4), chosen, minutes, kills)
        self._say = (lambda text: None) if options["json"] else self.stdout.write
        self._say(f"seed {script.seed}, {connection.vendor}")
        report = self._play(script, keep=keep)
        self._show(report, as_json=options["json"])
        if not report.good:
            raise CommandError(f"{len(report.faults)} things are wrong; repeat it with --seed {script.seed}")

    def _play(self, script: Script, *, keep: bool) -> Report:
        folder = Path(tempfile.mkdtemp(prefix="apflow-soak-"))
        begun = time.monotonic()
        try:
            with _database() as url:
                environment = {"DJANGO_SETTINGS_MODULE": "apflow_site.settings", "APFLOW_BOOTSTRAP": "0"}
                environment |= {"DATABASE_URL": url} if url else {}
                return play(script, folder, environment, root=settings.BASE_DIR, say=partial(self._told, begun))
        finally:
            if keep:
                self._say(f"kept: {folder}")
            else:
                shutil.rmtree(folder, ignore_errors=True)

    def _told(self, begun: float, text: str) -> None:
        self._say(f"{time.monotonic() - begun:6.1f} s  {text}")

    def _show(self, report: Report, *, as_json: bool) -> None:
        if as_json:
            told = {"seed": report.seed, "good": report.good, "faults": report.faults, **{"figures": report.figures}}
            self.stdout.write(json.dumps(told))
            return
        for name, value in report.figures.items():
            self.stdout.write(f"{name.replace('_', ' '):>18}  {value}")
        for fault in report.faults:
            self.stdout.write(self.style.ERROR(fault))
        if report.good:
            self.stdout.write("Everything that was accepted has ended right, once.")


@contextmanager
def _database() -> Iterator[str]:
    if connection.vendor != "postgresql":
        yield ""
        return
    with new_database(PREFIX) as url:
        connection.close()
        yield url
