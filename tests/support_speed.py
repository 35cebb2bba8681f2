"""What keeps the suite quick: which files begin first on several workers, and how tables are emptied between tests."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.management.commands import flush
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations

# the files that take longest, longest first: what begins last must be short, or one worker ends alone
LONG = (
    "tests/fuzz/",
    "tests/mutants/",
    "tests/e2e/",
    "tests/faults/",
    "tests/scaleout/",
    "tests/postgres/",
    "tests/bench/",
    "tests/commands/",
    "tests/site/",
    "tests/engine/",
    "tests/access/",
    "tests/webhooks/",
    "tests/dashboard/",
    "tests/api/",
    "tests/services/",
    "tests/",
)
# filled by migrations, and by Django after each flush: permissions and roles
CONSTANT = ("django_content_type", "auth_permission", "auth_group", "auth_group_permissions")


def long_files_first(item: Any) -> int:
    """Sort key of a test: its file's place in LONG."""
    return next(place for place, prefix in enumerate(LONG) if item.nodeid.startswith(prefix))


def quick_flush() -> None:
    """A flush puts back what the migrations have left in CONSTANT, instead of having Django find out what is missing.
    On PostgreSQL tables are emptied by DELETE: TRUNCATE makes some 200 files anew, after each test."""
    with connection.cursor() as cursor:
        kept = {table: _rows(cursor, table) for table in CONSTANT}
    flush.emit_post_migrate_signal = partial(_put_back, kept)  # type: ignore[attr-defined]
    if connection.vendor == "postgresql":
        DatabaseOperations.sql_flush = _sql_flush  # type: ignore[method-assign]


def _rows(cursor: Any, table: str) -> tuple[str, list[Any]]:
    """An INSERT, and the rows for it."""
    cursor.execute(f"SELECT * FROM {table}")
    columns = ", ".join(column[0] for column in cursor.description)
    places = ", ".join(["%s"] * len(cursor.description))
    return f"INSERT INTO {table} ({columns}) VALUES ({places})", cursor.fetchall()


def _put_back(kept: dict[str, tuple[str, list[Any]]], *_: Any, **__: Any) -> None:
    with connection.cursor() as cursor:
        for statement, rows in kept.values():
            cursor.executemany(statement, rows)


def _sql_flush(self: Any, style: Any, tables: Any, *, reset_sequences: bool = False, **_: Any) -> list[str]:
    """Without triggers and foreign keys, in the transaction that Django opens for it."""
    assert not reset_sequences
    return ["SET LOCAL session_replication_role = replica", *(f"DELETE FROM {self.quote_name(t)}" for t in tables)]
