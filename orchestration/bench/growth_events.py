"""The events in one table against the same events in partitions by range of `run_id`, in turn, on PostgreSQL.

Both tables have the real one's columns, checks, guard and foreign key to the run. Unique keys must contain the
partition key, so in partitions the primary key is (`run_id`, `id`), and `id` has a plain index for those who ask for
the newest events of all runs.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import batched
from statistics import median
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from orchestration.domain.states import Kind, Status
from orchestration.models import Run, Tree
from orchestration.selectors.events import PAGE
from orchestration.services.retention import CHUNK
from orchestration.services.rows import db_time, insert_rows

ONE, PARTED = "bench_event_one", "bench_event_parted"
KEYS = {ONE: "id", PARTED: "run_id, id"}  # primary keys
PARTS = 20
EACH = 200  # events of a run, where there are enough
LEAST = 2 * PARTS
COMMIT = 25  # events of a commit
NEWEST = 4000  # events that /metrics reads
PAGES, COMMITS, LATEST = 300, 100, 5  # how often each is done
SEED = 7
MB = 1024 * 1024

TABLE = "CREATE TABLE {table} (LIKE orchestration_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
FILL = """INSERT INTO {table} (id, run_id, seq, kind, task_id, attempt, at, data)
 SELECT (r - 1) * %s + n, r, n, %s, gen_random_uuid(), 1, now(), %s
 FROM generate_series(1, %s) AS r, generate_series(1, %s) AS n ORDER BY r, n"""
INDEXES = (
    "ALTER TABLE {table} ADD PRIMARY KEY ({key})",
    "ALTER TABLE {table} ADD UNIQUE (run_id, seq)",
    "ALTER TABLE {table} ADD FOREIGN KEY (run_id) REFERENCES orchestration_run (id) DEFERRABLE INITIALLY DEFERRED",
    "CREATE TRIGGER guard_{table} BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION guard_event()",
)
READ = """SELECT id, run_id, seq, kind, task_id, attempt, at, data FROM {table}
 WHERE run_id = %s AND seq > %s ORDER BY seq LIMIT %s"""
WRITE = "INSERT INTO {table} (id, run_id, seq, kind, task_id, attempt, at, data) VALUES "
WRITTEN = "(%s, %s, %s, %s, gen_random_uuid(), 1, now(), '{}')"
LAST = "SELECT kind, run_id, task_id, at FROM {table} ORDER BY id DESC LIMIT %s"
SIZE = """SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
 WHERE c.oid = %s::regclass OR i.inhparent = %s::regclass"""

type Act = Callable[[str, int], None]


def measure_events(events: int, user: User) -> list[dict[str, Any]]:
    """The figures of both tables with *events* events each, in a new database. Effects: makes the tables there."""
    each = max(1, min(EACH, events // LEAST))
    runs = events // each
    _runs(runs, each, user)
    figures: dict[str, dict[str, Any]] = {}
    for table in KEYS:
        figures[table] = {"table": "one" if table == ONE else f"{PARTS} partitions", "events": runs * each}
        figures[table]["fill_s"] = round(_timed(partial(_make, table, runs, each)), 1)
    chance = random.Random(SEED)  # noqa: S311  (repeatable on purpose)
    chosen = [chance.randint(1, runs) for _ in range(PAGES)]
    _in_turn(figures, "page_ms", chosen, lambda table, run: _read(table, READ, [run, 0, PAGE]))
    _in_turn(figures, "commit_ms", range(COMMITS), lambda table, number: _write(table, runs, each, number))
    _in_turn(figures, "newest_ms", range(LATEST), lambda table, _: _read(table, LAST, [NEWEST]))
    for table, row in figures.items():
        row["mb"] = _mb(table)
        row["drop_ms"] = round(1000 * _timed(partial(_drop_oldest, table, runs // PARTS)), 1)
        row["mb_after"] = _mb(table)
    return list(figures.values())


@transaction.atomic
def _runs(runs: int, each: int, user: User) -> None:
    """Runs that have ended, of one tree."""
    now = timezone.now()
    tree = Tree(name="growth", owner=user, run_count=runs, created_at=now, updated_at=now)
    Tree.objects.bulk_create([tree])
    at, ended = db_time(now), Status.COMPLETED.value
    fields = ("id", "tree", "number", "status", "seq", "total", "completed", "started_at", "completed_at")
    insert_rows(Run, fields, [(n, tree.pk, n, ended, each, 1, 1, at, at) for n in range(1, runs + 1)])


def _make(table: str, runs: int, each: int) -> None:
    _do(TABLE.format(table=table) + (" PARTITION BY RANGE (run_id)" if table == PARTED else ""))
    for part in range(PARTS if table == PARTED else 0):
        low = "MINVALUE" if part == 0 else 1 + part * (runs // PARTS)
        high = "MAXVALUE" if part == PARTS - 1 else 1 + (part + 1) * (runs // PARTS)
        _do(f"CREATE TABLE {table}_{part} PARTITION OF {table} FOR VALUES FROM ({low}) TO ({high})")
    _do(FILL.format(table=table), [each, Kind.TASK_COMPLETED.value, '{"progress":1.0}', runs, each])
    for statement in INDEXES:
        _do(statement.format(table=table, key=KEYS[table]))
    if table == PARTED:
        _do(f"CREATE INDEX ON {table} (id)")
    _do(f"VACUUM ANALYZE {table}")


def _in_turn(figures: Mapping[str, dict[str, Any]], name: str, values: Sequence[int], act: Act) -> None:
    """The median of what *act* takes on each table; who is first changes."""
    taken: dict[str, list[float]] = {table: [] for table in figures}
    for place, value in enumerate(values):
        for table in figures if place % 2 else reversed(list(figures)):
            taken[table].append(1000 * _timed(partial(act, table, value)))
    for table, row in figures.items():
        row[name] = round(median(taken[table]), 2)


def _read(table: str, query: str, values: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(query.format(table=table), values)
        cursor.fetchall()


@transaction.atomic
def _write(table: str, runs: int, each: int, number: int) -> None:
    """One commit, of the newest run."""
    first = number * COMMIT + 1
    rows = [(runs * each + n, runs, each + n, Kind.TASK_STARTED.value) for n in range(first, first + COMMIT)]
    _do(WRITE.format(table=table) + ", ".join([WRITTEN] * COMMIT), [value for row in rows for value in row])


def _drop_oldest(table: str, runs: int) -> None:
    """The events of the oldest *runs* runs go: from one table as `prune` does it, then as autovacuum does."""
    if table == PARTED:
        _do(f"ALTER TABLE {table} DETACH PARTITION {table}_0")
        _do(f"DROP TABLE {table}_0")
        return
    for ids in batched(range(1, runs + 1), CHUNK):
        marks = ", ".join(["%s"] * len(ids))
        _do(f"DELETE FROM {table} WHERE run_id IN ({marks})", ids)  # noqa: S608  (our own names)
    _do(f"VACUUM {table}")


def _do(statement: str, values: Sequence[Any] = ()) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)


def _mb(table: str) -> float:
    with connection.cursor() as cursor:
        cursor.execute(SIZE, [table, table])
        return round(float(cursor.fetchone()[0]) / MB, 1)


def _timed(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
