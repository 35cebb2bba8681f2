"""Whether the database server answers, in words, before anything waits for a connection of the pool."""

from __future__ import annotations

from typing import Any

from django.db import connection

REMEDY = "Start it, or mend DATABASE_URL (docs/postgresql.md)."
OLDEST = 150000  # PostgreSQL 15


def unreachable() -> str:
    """Why the database that DATABASE_URL names cannot be used; "" when it can. A file of SQLite always can."""
    if connection.vendor != "postgresql":
        return ""
    psycopg: Any = connection.Database  # type: ignore[attr-defined]  # SQLite starts without it
    try:
        with psycopg.connect(**connection.get_connection_params()) as opened:
            version = opened.info.server_version
    except psycopg.OperationalError as error:  # libpq says who and where, never the password
        return f"The database cannot be reached: {' '.join(str(error).split())}"
    return "" if version >= OLDEST else f"PostgreSQL {version // 10000} is too old: 15 or newer is needed."
