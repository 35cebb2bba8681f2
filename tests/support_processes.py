"""What a process that a test starts needs, to work on the same kind of database as the test."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
from django.db import connection

from tests.settings import POSTGRES
from tests.support_postgres import new_database, shared

ROOT = Path(__file__).resolve().parents[1]
_databases: dict[str, str] = {}  # data directory -> address
ADDRESS = "database_url"  # in a folder of the whole test run
OURS = ("APFLOW_", "DJANGO_", "PYTEST_", "DATABASE_")


def environment_of(data_dir: Path | str, **more: str) -> dict[str, str]:
    """Environment of a process that starts with nothing of the test's own settings but what *more* says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    real = {"DJANGO_SETTINGS_MODULE": "apflow_site.settings", "PYTHONPATH": str(ROOT), "APFLOW_DATA_DIR": str(data_dir)}
    return kept | real | more


def database_of(data_dir: Path | str) -> dict[str, str]:
    """Environment of every process that works on *data_dir*: on PostgreSQL the address of one database for it."""
    if not POSTGRES:
        return {}
    if str(data_dir) not in _databases:
        _databases[str(data_dir)] = new_database()
    return {"DATABASE_URL": _databases[str(data_dir)]}


@contextlib.contextmanager
def only_once(factory, name: str) -> Iterator[Path]:
    """A folder of the whole test run; meanwhile no other process of it is in here. Whoever finds it empty fills it."""
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(mode=0o700, exist_ok=True)
        address = folder / ADDRESS
        if address.exists():
            _databases[str(folder)] = address.read_text()
        yield folder
        if str(folder) in _databases:
            address.write_text(_databases[str(folder)])


def copy_installation(source: Path, data_dir: Path) -> None:
    """*data_dir* and its database are as *source*, on which no process works now."""
    shutil.copytree(source, data_dir, dirs_exist_ok=True)
    if POSTGRES:
        _databases[str(data_dir)] = new_database(like=database_of(source)["DATABASE_URL"])


def this_database() -> dict[str, str]:
    """Environment of a process that works on the test's own database."""
    name = connection.settings_dict["NAME"]
    return {"DATABASE_URL": shared().url(str(name)) if POSTGRES else f"sqlite:///{name}"}


def asked(data_dir: Path | str, query: str) -> list[tuple]:
    """The rows of *query* in the database of the processes that work on *data_dir*, once it has its tables."""
    if POSTGRES:
        with psycopg.connect(database_of(data_dir)["DATABASE_URL"]) as opened:
            return opened.execute(query.encode()).fetchall()
    with contextlib.closing(sqlite3.connect(Path(data_dir) / "apflow.sqlite3")) as file:
        return file.execute(query).fetchall()
