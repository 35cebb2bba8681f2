"""A PostgreSQL server of these tests alone: made in a temporary folder, reached by a unix socket, gone at the end.

from tests.support_postgres import Cluster, new_database, require

require()                     # skips (with APFLOW_E2E_REQUIRED=1: fails) where PostgreSQL is not installed
url = new_database()          # DATABASE_URL of a new, empty database on the server that all tests share
with Cluster() as own:        # a server of one test: may be stopped and killed
    url = own.new_database()
    own.kill(); own.start()   # kill -9 of every process; also own.stop(), own.restart()
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from tests.support_needs import need

SHARED = "APFLOW_TEST_POSTGRES"  # folder of the server that a parent process (of xdist, of a test) has started
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
REMEDY = "install it with: apt-get install postgresql"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "fsync": "off",  # the data survive the death of all processes; only a power cut needs these two
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "1h",
    "autovacuum_naptime": "10s",
    "log_min_messages": "error",
    "deadlock_timeout": "200ms",
    "log_line_prefix": "%m [%p] %d ",
}
LOGGED = 6000  # characters of its log that a failed test shows
START_S = 60.0
_numbers = itertools.count(1)
_shared: Cluster | None = None


def binaries() -> Path | None:
    """The folder with the newest `postgres` and `initdb`, or None."""
    found = shutil.which("postgres")
    if found and (Path(found).resolve().parent / "initdb").exists():
        return Path(found).resolve().parent
    folders = [f for place in PLACES for f in Path("/").glob(place[1:]) if (f / "initdb").exists()]
    return max(
        folders,
        key=lambda f: [int(n) for n in "".join(c if c.isdigit() else " " for c in str(f)).split()] or [0],
        default=None,
    )


def missing() -> str:
    """Why no server can be started here, and the remedy; "" when one can."""
    return "" if binaries() else f"PostgreSQL (initdb, postgres) is not installed: {REMEDY}"


def require() -> None:
    """Skips the test where PostgreSQL is missing; with APFLOW_E2E_REQUIRED=1 it fails instead."""
    need(missing())


class Cluster:
    """A server in a folder of its own; started by `with` or `start`, ended and deleted by leaving or `close`."""

    def __init__(self, **settings: str) -> None:
        self.settings = SETTINGS | settings
        self.folder: Path | None = None
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def at(cls, folder: str) -> Cluster:
        """A server that another process has started: it can't be stopped from here."""
        cluster = cls()
        cluster.folder = Path(folder)
        return cluster

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The server answers. Raises RuntimeError with its log when it does not within a minute."""
        folder = self.folder = self.folder or self._made()
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("ab") as log:
            command = ["postgres", "-D", f"{folder}/data", "-k", str(folder), *options]
            self.process = subprocess.Popen(
                self._as_user(command, life=True), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """The server has ended: SIGINT = all connections are cut, SIGQUIT = at once, next start recovers."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(START_S)
            self.process = None

    def kill(self) -> None:
        """kill -9 of the server and of every process of it."""
        if self.process is None:
            return
        server = psutil.Process(self.process.pid)
        server.suspend()  # else it would start some anew
        processes = server.children(recursive=True)
        for process in [*processes, server]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(START_S)
        psutil.wait_procs(processes, timeout=START_S)
        self.process = None

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop, then start again with the same data."""
        self.stop(how)
        self.start()

    def close(self) -> None:
        """The server has ended and its folder is gone."""
        self.stop(signal.SIGQUIT)
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def said(self) -> str:
        """The end of the server's log."""
        return (self.folder / "log").read_text(errors="replace")[-LOGGED:] if self.folder else ""

    # -- databases -------------------------------------------------------------------------------------------------

    def url(self, database: str = "postgres") -> str:
        """DATABASE_URL of *database*."""
        return f"postgres://postgres@{quote(str(self.folder), safe='')}/{database}"

    def new_database(self, name: str = "", *, like: str = "") -> str:
        """DATABASE_URL of a new database: empty, or a copy of the one at *like*, which nobody may have open."""
        name = name or f"d{os.getpid()}_{next(_numbers)}"
        template = like.rpartition("/")[2] or "template1"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement as the administrator, outside a transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def cut(self, database: str) -> None:
        """End every session of *database*."""
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")

    # -- helpers ---------------------------------------------------------------------------------------------------

    def _made(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="apflow-pg-"))
        if os.geteuid() == 0:
            owner = _owner()
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        command = ["initdb", "-D", f"{folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        # sorts as a dictionary does, unlike SQLite: what depends on it is found
        command += ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        subprocess.run(self._as_user(command), check=True, capture_output=True, cwd=folder, timeout=120)
        return folder

    def _as_user(self, command: list[str], *, life: bool = False) -> list[str]:
        """*command* by its full path and, for root, as a plain user: the server refuses root. *life*: end with us."""
        folder = binaries()
        if folder is None:
            raise RuntimeError(missing())
        full = [str(folder / command[0]), *command[1:]]
        change: list[str] = []
        if os.geteuid() == 0:
            owner = _owner()
            change += [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        if life and shutil.which("setpriv"):
            change += ["--pdeathsig", "QUIT"]
        return ["setpriv", *change, *full] if change else full

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


def _owner() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("no user `postgres` or `nobody` for the server, which refuses to run as root")


def shared() -> Cluster:
    """The server that all tests of this session share, started at the first call. Nobody may stop it."""
    global _shared
    if _shared is None and os.environ.get(SHARED):
        _shared = Cluster.at(os.environ[SHARED])
    elif _shared is None:
        _shared = Cluster()
        _shared.start()
        atexit.register(_shared.close)
        os.environ[SHARED] = str(_shared.folder)
    return _shared


def new_database(*, like: str = "") -> str:
    """DATABASE_URL of a new database on the server that all tests share: empty, or a copy of the one at *like*."""
    return shared().new_database(like=like)
