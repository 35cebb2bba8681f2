"""Benchmarks measure in a process of their own, on a database of their own: nobody's settings and data take part."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection

from orchestration.management.first_start import database_prepare
from orchestration.management.own_database import new_database

PREFIX = "apflow_bench_"
LAST = 20  # lines of an error


def measured_apart(
    command: str,
    arguments: Sequence[str],
    *,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    sqlite: bool = False,
) -> Any:
    """What `manage.py <command> ... --inside <folder>` prints as JSON, from a new process that inherits nothing but
    *environment*. Its database is in a temporary folder, or in *folder*, which stays; where the settings name
    PostgreSQL it is a new one on that server, unless *sqlite*. Raises CommandError with the end of its errors."""
    with _folder(folder) as place, _database(sqlite=sqlite) as address:
        done = subprocess.run(
            [sys.executable, "-m", "django", command, *arguments, "--inside", str(place)],
            cwd=settings.BASE_DIR,
            env={
                "DJANGO_SETTINGS_MODULE": "apflow_site.settings",
                "APFLOW_DATA_DIR": str(place),
                **({"DATABASE_URL": address} if address else {}),
                **(environment or {}),
            },
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    if done.returncode:
        raise CommandError("the measured process failed:\n" + "\n".join(done.stderr.splitlines()[-LAST:]))
    return json.loads(done.stdout.splitlines()[-1])


def prepare_inside(folder: str) -> None:
    """The tables are there. Raises CommandError unless this process's database is new and a benchmark's own."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "postgresql":
        own = str(name).startswith(PREFIX)
    else:
        own = Path(folder).resolve() == settings.DATA_DIR and not Path(name).exists()
    if not own:
        raise CommandError("--inside needs a new folder that is APFLOW_DATA_DIR too, or a database of the benchmark")
    database_prepare()


@contextmanager
def _database(*, sqlite: bool) -> Iterator[str]:
    if connection.vendor == "postgresql" and not sqlite:
        with new_database(PREFIX) as url:
            yield url
    else:
        yield ""


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="apflow-bench-") as folder:
        yield Path(folder)
