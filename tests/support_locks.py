"""A database that somebody else keeps busy."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager

import psycopg
from django.db import connection, connections

from tests.support_processes import this_database

IMPATIENT_S = 0.05


@contextmanager
def impatient(monkeypatch):
    """Meanwhile this connection and new ones wait for a lock for 50 ms only; nothing of it is left to other tests."""
    with monkeypatch.context() as patched:
        options = connections.settings["default"]["OPTIONS"]
        if connection.vendor == "sqlite":
            patched.setitem(options, "timeout", IMPATIENT_S)
        else:
            patched.setitem(options, "options", f"-c lock_timeout={IMPATIENT_S}s")
        _start_anew(IMPATIENT_S)
        yield
    _start_anew(connections.settings["default"]["OPTIONS"].get("timeout"))


def _start_anew(wait_s):
    """SQLite: this connection alone, its database may be in memory. PostgreSQL: all, the pool keeps its options."""
    if connection.vendor == "sqlite":
        connection.cursor().execute(f"PRAGMA busy_timeout = {wait_s * 1000:.0f}")
    else:
        connection.close()
        connection.close_pool()


@contextmanager
def no_writes():
    """Meanwhile nobody else can write."""
    if connection.vendor == "sqlite":
        other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, timeout=20)
        other.execute("BEGIN IMMEDIATE")
    else:
        other = psycopg.connect(this_database()["DATABASE_URL"])
        other.execute(
            "LOCK TABLE orchestration_run, orchestration_task, orchestration_worker, django_session IN EXCLUSIVE MODE"
        )
    yield
    other.rollback()
    other.close()
