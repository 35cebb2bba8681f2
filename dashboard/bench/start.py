"""How long a start takes, from the command to the first answer or result, and what it loads."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from django.conf import settings

from dashboard.bench.answers import wait_ready
from orchestration.ports import free_port

TINY = '[{"id": "a", "name": "a", "executor": "noop"}]'
# what no start can do without: Django with our apps, and the server
FLOOR = "import daphne.server, django; django.setup()"
COUNT = """
import sys, manage
sys.argv = ["manage.py", "up", "--help"]
try:
    manage.main()
except SystemExit:
    print(len(sys.modules), *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""
WAIT_S = 120.0
NEEDLESS = ("psycopg", "psycopg_pool", "procrastinate", "redis", "channels_redis", "hypothesis", "pytest", "playwright")


def measure_start(folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Medians of *rounds*, in turn; the first start of `up` makes the tables and the samples."""
    first = _up(folder)
    tree = folder / "tiny.json"
    tree.write_text(TINY)
    ways: dict[str, Callable[[], float]] = {
        "floor: Django and Daphne loaded": lambda: _run(folder, "-c", FLOOR),
        "up, from the second start on, until /readyz": lambda: _up(folder),
        "run_tree with one task, until it has ended": lambda: _run(folder, "manage.py", "run_tree", str(tree)),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, start in ways.items():
            before = os.times()
            taken[name].append(start())
            after = os.times()
            used = after.children_user + after.children_system - before.children_user - before.children_system
            cpu[name].append(used)
    rows: list[dict[str, Any]] = [{"start": "up, the first one", "s": round(first, 2)}]
    for name, times in taken.items():
        rows.append({"start": name, "s": round(median(times), 2), "cpu_s": round(median(cpu[name]), 2)})
    return rows


def loaded() -> dict[str, Any]:
    """How many modules `up` loads, and which packages that it does not need on SQLite."""
    command = [sys.executable, "-c", COUNT]
    done = subprocess.run(
        command, cwd=settings.BASE_DIR, env=_environment(None), capture_output=True, text=True, check=True
    )
    count, *packages = done.stderr.split()
    return {"modules": int(count), "needless": ", ".join(sorted(set(packages).intersection(NEEDLESS))) or "none"}


def _environment(folder: Path | None) -> dict[str, str]:
    place = {} if folder is None else {"APFLOW_DATA_DIR": str(folder)}
    return {"DJANGO_SETTINGS_MODULE": "apflow_site.settings", **place}


def _up(folder: Path) -> float:
    """Seconds until the server says that it is ready; the time that it takes to stop is not counted."""
    port, log = free_port(), folder / "up.log"
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port)],
            cwd=settings.BASE_DIR,
            env=_environment(folder),
            stdout=output,
            stderr=output,
        )
    try:
        wait_ready(f"http://127.0.0.1:{port}", process, log, every_s=0.01)
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(WAIT_S)


def _run(folder: Path, *arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        cwd=settings.BASE_DIR,
        env=_environment(folder),
        check=True,
        capture_output=True,
        timeout=WAIT_S,
    )
    return time.perf_counter() - began
