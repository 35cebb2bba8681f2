"""Django's backend for SQLite, with connections that outlive a request: `ENGINE = "orchestration.sqlite3"`.

Each request is answered in a thread of its own, so Django can keep no connection for the next one. To open one, which
reads the whole schema, and to close it takes a third of the time of a request.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from dataclasses import dataclass
from sqlite3 import Connection, connect
from typing import Any

from django.db.backends.sqlite3 import base

MOST = 4  # kept at a time: each has up to 4 MB of pages


@dataclass(frozen=True, slots=True)
class _Kind:
    """What must be the same for a kept connection to be as good as a new one."""

    options: str
    file: tuple[int, int]  # device and inode: a file that was put in the place of another is another one


class _Idle:
    """Connections that nobody uses, the newest last."""

    def __init__(self) -> None:
        self._kept: list[tuple[_Kind, Connection]] = []
        self._inherited: list[tuple[_Kind, Connection]] = []
        self._lock = threading.Lock()

    def take(self, kind: _Kind) -> Connection | None:
        with self._lock:
            for index in reversed(range(len(self._kept))):
                if self._kept[index][0] == kind:
                    return self._kept.pop(index)[1]
        return None

    def keep(self, kind: _Kind, session: Connection) -> None:
        with self._lock:
            self._kept.append((kind, session))
            dropped = self._kept.pop(0)[1] if len(self._kept) > MOST else None
        if dropped is not None:
            dropped.close()

    def close(self) -> None:
        with self._lock:
            kept, self._kept = self._kept, []
        for _, session in kept:
            session.close()

    def forget(self) -> None:
        """In a forked process: never used and never closed there, for SQLite would take the parent's locks away."""
        self._lock = threading.Lock()
        self._inherited += self._kept
        self._kept = []


_idle = _Idle()
atexit.register(_idle.close)
os.register_at_fork(after_in_child=_idle.forget)


def close_idle() -> None:
    """Close what is kept; with the last connection of all, SQLite moves what it has logged into the database's file.
    For processes that end without Python's `atexit`."""
    _idle.close()


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django's, but `close_if_unusable_or_obsolete`, the end of a request, keeps the connection where that is safe:
    outside a transaction, without an error, and when nobody holds a cursor of it, which might still be reading."""

    _kind: _Kind | None = None
    init_commands: list[str]

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A kept connection with these parameters to the same file, or a new one."""
        if self.is_in_memory_db():
            return super().get_new_connection(conn_params)
        options = repr((conn_params, self.init_commands))
        self._kind = self._kind_now(options)
        session = _idle.take(self._kind) if self._kind is not None else None
        if session is None:
            session = super().get_new_connection(conn_params)
            self._kind = self._kind_now(options)  # it may have made the file
        return session

    def close_if_unusable_or_obsolete(self) -> None:
        """As Django's, see above."""
        kind = self._kind
        if kind is None or not self._is_good():
            return super().close_if_unusable_or_obsolete()
        self.validate_thread_sharing()
        self.run_on_commit = []
        self.health_check_done = False
        session, self.connection = self.connection, None
        if _holders(session) == _ALONE:
            _idle.keep(kind, session)
        else:
            session.close()

    def _is_good(self) -> bool:
        return (
            self.connection is not None
            and self.close_at is not None
            and time.monotonic() >= self.close_at
            and not (self.errors_occurred or self.in_atomic_block or self.connection.in_transaction)
            and self.get_autocommit() == self.settings_dict["AUTOCOMMIT"]
        )

    def _kind_now(self, options: str) -> _Kind | None:
        try:
            found = os.stat(self.settings_dict["NAME"])
        except OSError:
            return None
        return _Kind(options, (found.st_dev, found.st_ino))


def _holders(session: Connection) -> int:
    return sys.getrefcount(session)


def _holders_of_one() -> int:
    session = connect(":memory:")
    try:
        return _holders(session)
    finally:
        session.close()


_ALONE = _holders_of_one()
