"""What a process that a test starts needs, to work on the same kind of database as the test."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from functools import cache
from pathlib import Path

import psycopg
from django.db import connection

from tests.settings import POSTGRES
from tests.support_postgres import new_database, shared

ROOT = Path(__file__).resolve().parents[1]
OURS = ("APFLOW_", "DJANGO_", "PYTEST_", "DATABASE_")


def environment_of(data_dir: Path | str, **more: str) -> dict[str, str]:
    """Environment of a process that starts with nothing of the test's own settings but what *more* says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    real = {"DJANGO_SETTINGS_MODULE": "apflow_site.settings", "PYTHONPATH": str(ROOT), "APFLOW_DATA_DIR": str(data_dir)}
    return kept | real | more


def database_of(data_dir: Path | str) -> dict[str, str]:
    """Environment of every process that works on *data_dir*: on PostgreSQL the address of one database for it."""
    return _database_of(str(data_dir)) if POSTGRES else {}


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


@cache
def _database_of(data_dir: str) -> dict[str, str]:
    return {"DATABASE_URL": new_database()}
