"""`manage.py bench --scale-out`: the same work with more and more workers, each time in a new database."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from rich.table import Table

from orchestration.bench.scale_out import measure_workers
from orchestration.management.processes import only_on_postgresql

PREFIX = "apflow_bench_"
TIMEOUT_S = 1200
COLUMNS = (
    "workers", "tasks", "seconds", "tasks_per_s", "each_done_once", "inversions", "engine_cpu_s", "workers_cpu_s",
    "machine_busy_percent",
)  # fmt: skip


def measure_all(counts: list[int], options: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures for each number of workers. Raises CommandError."""
    only_on_postgresql("bench --scale-out")
    return [_measured(count, options) for count in counts]


def counts_of(text: str) -> list[int]:
    """Numbers of workers written as "1,2,4". Raises CommandError."""
    try:
        counts = [int(word) for word in text.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1:
        raise CommandError("--workers: write numbers such as 1,2,4", returncode=2)
    return counts


def inside(workers: int, options: dict[str, Any]) -> dict[str, Any]:
    """Measure once, in this process, whose database is new."""
    if not str(connection.settings_dict["NAME"]).startswith(PREFIX):
        raise CommandError("--inside needs a database of the benchmark")
    call_command("migrate", verbosity=0, interactive=False)
    user = User.objects.create_superuser("bench", password=None)
    return measure_workers(
        workers, tasks=options["n"], concurrency=options["concurrency"], task_ms=options["task_ms"], user=user
    )


def table(rows: list[dict[str, Any]]) -> Table:
    """*rows* for people."""
    first = rows[0]
    title = f"{first['tasks']:,} tasks of {first['task_ms']:g} ms, {first['concurrency']} at a time per worker"
    made = Table(*(name.replace("_", " ") for name in COLUMNS), title=title)
    for column in made.columns:
        column.justify = "right"
    for row in rows:
        values = (row[name] for name in COLUMNS)
        made.add_row(*(("yes" if v else "NO") if isinstance(v, bool) else f"{v:,}" for v in values))
    return made


def _measured(workers: int, options: dict[str, Any]) -> dict[str, Any]:
    with _new_database() as url, tempfile.TemporaryDirectory(prefix="apflow-bench-") as folder:
        command = [
            sys.executable,
            "-m",
            "django",
            "bench",
            "--scale-out",
            "--workers",
            str(workers),
            "--inside",
            folder,
        ]
        for name in ("n", "concurrency", "task_ms"):
            command += [f"--{name.replace('_', '-')}", str(options[name])]
        environment = {
            "DJANGO_SETTINGS_MODULE": "apflow_site.settings",
            "DATABASE_URL": url,
            "APFLOW_DATA_DIR": folder,
            "APFLOW_APPS": "orchestration.bench",
            "APFLOW_LOG_LEVEL": "ERROR",
        }
        done = subprocess.run(
            command,
            cwd=settings.BASE_DIR,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    if done.returncode:
        raise CommandError(f"the measured process failed:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


@contextmanager
def _new_database() -> Iterator[str]:
    """DATABASE_URL of a new database on the server that the settings name; it is gone afterwards."""
    name = PREFIX + secrets.token_hex(6)
    quoted = connection.ops.quote_name(name)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {quoted}")
    try:
        yield _url(name)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {quoted} WITH (FORCE)")


def _url(name: str) -> str:
    place = connection.settings_dict
    user, password, host = (quote(str(place[key]), safe="") for key in ("USER", "PASSWORD", "HOST"))
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    port = f":{place['PORT']}" if place["PORT"] else ""
    options = {key: value for key, value in place["OPTIONS"].items() if isinstance(value, str)}
    return f"postgres://{login}{host}{port}/{name}?{urlencode(options)}"
