"""What a process that a test starts needs, to work on the same kind of database as the test."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.conf import settings

from tests.support_postgres import new_database


def database_of(data_dir: Path | str) -> dict[str, str]:
    """Environment of every process that works on *data_dir*: on PostgreSQL the address of one database for it."""
    return _database_of(str(data_dir)) if getattr(settings, "POSTGRES", False) else {}


@cache
def _database_of(data_dir: str) -> dict[str, str]:
    return {"DATABASE_URL": new_database()}
