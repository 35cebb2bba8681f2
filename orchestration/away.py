"""When the database is away: locked, full, read-only, restarting, gone. One answer for everybody who meets it.

Nothing is wrong then with what was asked of it, so nobody may blame that: the engine, workers and webhooks wait and try
again, doors answer 503.
"""

from __future__ import annotations

import sqlite3

from django.db import InterfaceError, InternalError, OperationalError

READ_ONLY = "25006"
# of PostgreSQL, whose driver calls these internal errors: besides, "idle in transaction" and "transaction" timeouts
STATES = frozenset({READ_ONLY, "25P03", "25P04"})
CODE = 0xFF  # of SQLite's result: what is above says more exactly why


def is_away(error: BaseException | None) -> bool:
    """Whether *error* tells of the database itself, and the same may work later."""
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return isinstance(error, InternalError) and _state(error) in STATES


def is_read_only(error: BaseException | None) -> bool:
    """Whether it answers, but takes no writes: that ends only when somebody makes it writable."""
    cause = getattr(error, "__cause__", None)
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & CODE == sqlite3.SQLITE_READONLY
    return is_away(error) and _state(error) == READ_ONLY


def advice(error: BaseException) -> str:
    """What programs are told."""
    if is_read_only(error):
        return "the database is read-only: nothing can be stored until it is made writable again"
    return "the database is busy: try again"


def _state(error: BaseException | None) -> str | None:
    return getattr(getattr(error, "__cause__", None), "sqlstate", None)
