"""What the disk and SQLite allow: the rows of a finished run, written again with nothing but `sqlite3`.

One commit stores tasks and dependencies, then each layer of the workload is one commit: attempts, the final state of
the tasks, events. Tables and indexes are those of the real database, without its triggers.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from orchestration.domain.states import Status

TASK, DEPENDENCY = "orchestration_task", "orchestration_dependency"
ATTEMPT, EVENT = "orchestration_attempt", "orchestration_event"
TABLES = (TASK, DEPENDENCY, ATTEMPT, EVENT)
KEYS = {TASK: "id", ATTEMPT: "task_id", EVENT: "task_id"}
CHANGING = (
    "run_id", "status", "attempt", "progress", "error", "ready_at", "started_at", "completed_at", "updated_at",
)  # fmt: skip
UNSTARTED = {name: None for name in CHANGING if name != "updated_at"} | {
    "status": Status.PENDING.value,
    "attempt": 0,
    "progress": 0.0,
}

type Row = dict[str, Any]


@dataclass(slots=True)
class Table:
    """One table of the finished run, ready to be written again."""

    name: str
    rows: list[Row]

    def insert(self, connection: sqlite3.Connection, rows: list[Row]) -> None:
        if rows:
            columns = ", ".join(f'"{name}"' for name in rows[0])
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(
                f"INSERT INTO {self.name} ({columns}) VALUES ({marks})",  # noqa: S608  (our own names)
                [tuple(row.values()) for row in rows],
            )


def floor_tasks_per_s(source: Path, target: Path, layer_of: Mapping[str, int], synchronous: str) -> float:
    """Tasks per second of writing *source*'s run to the new file *target*. *layer_of*: task id as stored -> layer."""
    tables = {name: Table(name, _read(source, name)) for name in TABLES}
    layers = _by_layer(tables, layer_of)
    unstarted = [row | UNSTARTED for row in tables[TASK].rows]
    connection = _new_database(source, target, synchronous)
    try:
        began = perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        tables[TASK].insert(connection, unstarted)
        tables[DEPENDENCY].insert(connection, tables[DEPENDENCY].rows)
        connection.execute("COMMIT")
        for layer in layers:
            connection.execute("BEGIN IMMEDIATE")
            tables[ATTEMPT].insert(connection, layer[ATTEMPT])
            _finish(connection, layer[TASK])
            tables[EVENT].insert(connection, layer[EVENT])
            connection.execute("COMMIT")
        return len(unstarted) / (perf_counter() - began)
    finally:
        connection.close()


def _finish(connection: sqlite3.Connection, rows: list[Row]) -> None:
    sets = ", ".join(f"{name} = ?" for name in CHANGING)
    connection.executemany(
        f"UPDATE {TASK} SET {sets} WHERE id = ?",  # noqa: S608  (our own names)
        [(*(row[name] for name in CHANGING), row["id"]) for row in rows],
    )


def _read(source: Path, table: str) -> list[Row]:
    connection = sqlite3.connect(source)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608  (our own names)
    finally:
        connection.close()


def _by_layer(tables: Mapping[str, Table], layer_of: Mapping[str, int]) -> list[dict[str, list[Row]]]:
    layers: list[dict[str, list[Row]]] = [defaultdict(list) for _ in range(1 + max(layer_of.values()))]
    for name, key in KEYS.items():
        for row in tables[name].rows:
            layers[layer_of.get(row[key], 0)][name].append(row)  # events of the run itself: with the first layer
    return layers


def _new_database(source: Path, target: Path, synchronous: str) -> sqlite3.Connection:
    original = sqlite3.connect(source)
    marks = ", ".join("?" * len(TABLES))
    statements = original.execute(
        f"SELECT sql FROM sqlite_master WHERE tbl_name IN ({marks}) AND type IN ('table', 'index') "  # noqa: S608
        "AND sql IS NOT NULL ORDER BY type DESC",
        TABLES,
    ).fetchall()
    original.close()
    connection = sqlite3.connect(target, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    for (statement,) in statements:
        connection.execute(statement)
    return connection
