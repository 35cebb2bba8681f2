"""One leading engine: a file lock for this data directory and, on PostgreSQL, a lock of the database for all machines.

Both are given back by the kernel, or by the database server, when their holder dies.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from django.db import connection

if TYPE_CHECKING:
    import psycopg  # at run time it is what Django has loaded: SQLite starts without it, a fifth of a second sooner

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

logger = logging.getLogger("apflow.engine")

KEY = (0x6170666C, 1)  # of the advisory lock: two numbers that no other program on this database takes
TRY_LOCK = "SELECT pg_try_advisory_lock(%s, %s)"
SILENT = """SELECT a.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid JOIN orchestration_worker w
 ON a.application_name = left('apflow engine ' || left(w.host, 32) || ':' || w.pid, 63)
 WHERE l.locktype = 'advisory' AND l.granted AND l.classid = %s AND l.objid = %s AND l.database =
 (SELECT oid FROM pg_database WHERE datname = current_database()) AND w.kind = 'engine' AND w.stopped_at IS NULL
 GROUP BY a.pid HAVING max(w.heartbeat_at) < clock_timestamp() - make_interval(secs => %s)"""
CUT = "SELECT pg_terminate_backend(%s, %s)"
CUT_MS = 2000  # that it may take
HOLDER = """SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.classid = %s AND l.objid = %s AND l.database =
 (SELECT oid FROM pg_database WHERE datname = current_database())"""
# the server notices within half a minute that this machine is gone, and gives the lock to another one
NOTICE = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
SILENCE_MS = "15000"  # after which this machine gives up a connection that nobody answers on
SILENT_S = 15.0  # without a sign of life: the engine that leads hangs
MAX_NAME = 63  # what PostgreSQL keeps of an application_name


class EngineHeld(Exception):
    """Another engine works on this data directory or database already."""


class Lock(Protocol):
    """What `acquire` has taken is ours until `release`, or until the process ends in whatever way."""

    def acquire(self) -> None:
        """Take it. Raises EngineHeld naming the process that has it."""

    def keep(self) -> None:
        """It is ours still, or again. Raises EngineHeld when another engine has it by now, DatabaseError."""

    def release(self) -> None:
        """Give it back; does nothing when it is not held."""


class FileLock:
    """Of a data directory, on this machine."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "engine.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        os.set_inheritable(descriptor, False)  # a child that lives on must not hold the lock for us
        try:
            _lock(descriptor)
        except OSError:
            holder = os.pread(descriptor, 64, 0).decode(errors="replace").strip() or "an unknown process"
            os.close(descriptor)
            raise EngineHeld(f"an engine is running on {self.path.parent} already: {holder}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}".encode(), 0)
        self._descriptor = descriptor

    def keep(self) -> None:
        pass  # the kernel takes it from nobody

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class DatabaseLock:
    """Of a PostgreSQL database: held by a connection that serves nothing else. With it goes the lock.

    A process that hangs keeps its connection: when its sign of life is older than *silent_s*, whoever wants the lock
    cuts it off. Should it wake up, it finds that out by `keep`.
    """

    def __init__(self, silent_s: float) -> None:
        self._session: psycopg.Connection[Any] | None = None
        self._silent_s = silent_s

    def acquire(self) -> None:
        with connection.wrap_database_errors:
            session = _session()
            try:
                if self._taken(session) or (self._cut_off_silent(session) and self._taken(session)):
                    self._session = session
                    return
                row = session.execute(HOLDER, KEY).fetchone()
            finally:
                if self._session is not session:
                    session.close()
        holder = row[0] if row else "an unknown process"
        raise EngineHeld(f"an engine is running on this database already: {holder}")

    @staticmethod
    def _taken(session: psycopg.Connection[Any]) -> bool:
        return session.execute(TRY_LOCK, KEY).fetchone() == (True,)

    def _cut_off_silent(self, session: psycopg.Connection[Any]) -> bool:
        """Whether the holder hung, and has lost its connection."""
        row = session.execute(SILENT, (*KEY, self._silent_s)).fetchone()
        if row is None:
            return False
        logger.warning("the engine that leads has given no sign of life for %g s: it is cut off", self._silent_s)
        session.execute(CUT, (row[0], CUT_MS))
        return True

    def keep(self) -> None:
        try:
            if self._session is not None:
                self._session.execute("SELECT 1")
                return
        except _driver().Error:  # a server that was restarted, a network that failed: the lock is free for everybody
            self.release()
        self.acquire()

    def release(self) -> None:
        if self._session is not None:
            with contextlib.suppress(_driver().Error):
                self._session.close()
            self._session = None


class EngineLock:
    """Every lock that the leading engine needs."""

    def __init__(self, directory: Path, silent_s: float = SILENT_S) -> None:
        self._locks: list[Lock] = [FileLock(directory)]
        if connection.vendor == "postgresql":
            self._locks.append(DatabaseLock(silent_s))

    def acquire(self) -> None:
        """Take all of them or none. Raises EngineHeld naming the process that has one, DatabaseError."""
        try:
            for lock in self._locks:
                lock.acquire()
        except BaseException:
            self.release()
            raise

    def keep(self) -> None:
        """All are ours still, those that only a failing connection has lost are again.

        Raises EngineHeld when another engine leads by now, DatabaseError when the database does not answer.
        """
        for lock in self._locks:
            lock.keep()

    def release(self) -> None:
        """Give them back; does nothing when none is held."""
        for lock in reversed(self._locks):
            lock.release()


def _driver() -> Any:
    """The module `psycopg`."""
    return connection.Database  # type: ignore[attr-defined]


def _session() -> psycopg.Connection[Any]:
    """A connection of our own: one of a pool would be given to somebody else, with the lock."""
    name = f"apflow engine {socket.gethostname()[:32]}:{os.getpid()}"
    parameters = connection.get_connection_params() | {
        "application_name": name[:MAX_NAME],
        "autocommit": True,
        "tcp_user_timeout": SILENCE_MS,
    }
    session: psycopg.Connection[Any] = _driver().connect(**parameters)
    session.execute(NOTICE)
    return session


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
