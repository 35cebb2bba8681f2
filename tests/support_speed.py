"""What keeps the suite quick: which files begin first on several workers, and how tables are emptied between tests."""

from __future__ import annotations

from typing import Any

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
    "tests/engine/",
    "tests/services/",
    "tests/",
)


def long_files_first(item: Any) -> int:
    """Sort key of a test: its file's place in LONG."""
    return next(place for place, prefix in enumerate(LONG) if item.nodeid.startswith(prefix))


def quick_flush() -> None:
    """On PostgreSQL tables are emptied by DELETE: TRUNCATE makes some 200 files anew, after each test."""
    if connection.vendor == "postgresql":
        DatabaseOperations.sql_flush = _sql_flush  # type: ignore[method-assign]


def _sql_flush(self: Any, style: Any, tables: Any, *, reset_sequences: bool = False, **_: Any) -> list[str]:
    """Without triggers and foreign keys, in the transaction that Django opens for it."""
    assert not reset_sequences
    return ["SET LOCAL session_replication_role = replica", *(f"DELETE FROM {self.quote_name(t)}" for t in tables)]
