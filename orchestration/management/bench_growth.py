"""`manage.py bench_growth`: its parts, each in new databases and in processes of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
from django.contrib.auth.models import User
from django.db import connection
from rich.table import Table

from orchestration.bench.growth_events import measure_events
from orchestration.bench.growth_shards import measure_shard
from orchestration.management.bench_apart import measured_apart, prepare_inside
from orchestration.management.figures import shown

EVENTS, READS, SHARDS = "events", "reads", "shards"
PARTS = (EVENTS, READS, SHARDS)
SHARD = "shard"  # one of the databases of the last two
MOST = 2  # databases
ALONE = "alone"
WAYS = {ALONE: (1, False), READS: (1, True), SHARDS: (MOST, False)}  # how many databases, and whether lists are read
TIMEOUT_S = 1200
ENVIRONMENT = {"APFLOW_APPS": "orchestration.bench", "APFLOW_LOG_LEVEL": "ERROR"}
TITLES = {
    EVENTS: "The same events in one table and in partitions by run_id, in turn: medians",
    READS: "One engine, and beside it one who reads overview and lists without a pause",
    SHARDS: "The same tasks through one database, and through two on the same server",
}

OF_READING = ("lists_per_s", "queries_per_list", "server_ms_per_list")

type Rows = list[dict[str, Any]]


def measure_parts(parts: Sequence[str], options: Mapping[str, Any]) -> dict[str, Rows]:
    """The rows of each of *parts*. Raises CommandError."""
    figures: dict[str, Rows] = {}
    if EVENTS in parts:
        figures[EVENTS] = _apart([EVENTS, "--events", str(options["events"])])
    ways = {way: how for way, how in WAYS.items() if way in parts}
    if ways:
        found = _rounds({ALONE: WAYS[ALONE], **ways}, options)
        figures |= {way: [found[ALONE], _compared(found[way], found[ALONE])] for way in ways}
    return figures


def _rounds(ways: Mapping[str, tuple[int, bool]], options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The median round of each way, in turn and there and back."""
    found: dict[str, Rows] = {way: [] for way in ways}
    for number in range(options["rounds"]):
        for way in ways if number % 2 == 0 else reversed(list(ways)):
            shards, reading = ways[way]
            found[way].append(_spread(shards, options, reading=reading))
    return {way: _median(rows) for way, rows in found.items()}


def inside(part: str, folder: str, options: Mapping[str, Any]) -> Any:
    """Measure *part* in this process, whose database is new."""
    prepare_inside(folder)
    user = User.objects.create_superuser("bench", password=None)
    if part == EVENTS:
        return measure_events(options["events"], user)
    return measure_shard(
        options["workers"],
        tasks=options["tasks"],
        concurrency=options["concurrency"],
        user=user,
        meet=Path(options["meet"]),
        shards=options["shards"],
        reading=options["reading"],
    )


def table(name: str, rows: Rows) -> Table:
    """*rows* of that part for people."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    made = Table(*(key.replace("_", " ") for key in names), title=TITLES[name])
    for column in made.columns:
        column.justify = "right"
    for row in rows:
        made.add_row(*(shown(row.get(key), "") for key in names))
    return made


def _spread(shards: int, options: Mapping[str, Any], *, reading: bool = False) -> dict[str, Any]:
    """The figures of all tasks over so many databases with as many workers in all, which begin together."""
    workers, tasks = options["workers"] // shards, options["tasks"] // shards
    words = [SHARD, "--workers", str(workers), "--tasks", str(tasks), "--concurrency", str(options["concurrency"])]
    words += ["--shards", str(shards), *(["--reading"] if reading else [])]
    with tempfile.TemporaryDirectory(prefix="apflow-bench-") as meet, ThreadPoolExecutor(shards) as threads:
        waiting = [threads.submit(_apart, [*words, "--meet", meet]) for _ in range(shards)]
        found = [one.result() for one in waiting]
    seconds = max(one["ended"] for one in found) - min(one["began"] for one in found)
    row = {
        "databases": shards,
        "workers": workers * shards,
        "tasks": sum(one["tasks"] for one in found),
        "tasks_per_s": round(sum(one["tasks"] for one in found) / seconds, 1),
        "each_done_once": all(one["each_done_once"] for one in found),
        "inversions": sum(one["inversions"] for one in found),
        "server_ms_per_task": round(sum(one["active_ms"] for one in found) / sum(one["tasks"] for one in found), 2),
        "engines_cpu_s": round(sum(one["engine_cpu_s"] for one in found), 2),
        "workers_cpu_s": round(sum(one["workers_cpu_s"] for one in found), 2),
        "machine_busy_percent": max(one["machine_busy_percent"] for one in found),
        "cores": psutil.cpu_count(),
    }
    return row | {name: found[0][name] for name in OF_READING if reading}


def _apart(words: list[str]) -> Any:
    try:
        return measured_apart("bench_growth", ["--part", *words], timeout_s=TIMEOUT_S, environment=ENVIRONMENT)
    finally:
        connection.close()  # that of this thread


def _median(rows: Rows) -> dict[str, Any]:
    """The round with the median rate, whole; what must hold in all of them."""
    chosen = sorted(rows, key=lambda row: float(row["tasks_per_s"]))[len(rows) // 2]
    checks = {
        "each_done_once": all(row["each_done_once"] for row in rows),
        "inversions": sum(row["inversions"] for row in rows),
    }
    return chosen | checks | {"rates": " ".join(f"{row['tasks_per_s']:.0f}" for row in rows)}


def _compared(row: dict[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    """With what counts on a machine that others use: its rate in parts of the first one's."""
    return row | {"of_the_first": round(row["tasks_per_s"] / first["tasks_per_s"], 2)}
