"""`manage.py test`: pytest, with any of its arguments, on all cores; `--postgres` runs it on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from orchestration.management.spread import parallel

POSTGRES = "--postgres"


class Command(BaseCommand):
    help = (
        "Run the tests with pytest; everything after `test` goes to it, such as -k, -m, -x or a path. "
        "--postgres: on a PostgreSQL server that is made for them, instead of SQLite. "
        "Several files are spread over processes; -n 0 keeps them in one."
    )
    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> None:
        """Exits with pytest's exit code. Django's own parser would claim options that are meant for pytest."""
        sys.exit(self.handle(*argv[2:]))

    def handle(self, *args: str, **options: Any) -> int:  # type: ignore[override]
        given = ["--ds=tests.settings_postgres" if arg == POSTGRES else arg for arg in args]
        command = [sys.executable, "-m", "pytest", *parallel(given, settings.BASE_DIR), *given]
        return subprocess.run(command, cwd=settings.BASE_DIR, env=_environment(), check=False).returncode


def _environment() -> dict[str, str]:
    """Ours, but modules are kept compiled: tests start hundreds of processes, and each would compile all of them."""
    given = os.environ.items()  # noqa: TID251  handed on, not read
    return {name: value for name, value in given if name != "PYTHONDONTWRITEBYTECODE"}
