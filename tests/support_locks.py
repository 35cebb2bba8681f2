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
    """Meanwhile new connections wait for a lock for 50 ms only."""
    options = connections.settings["default"]["OPTIONS"]
    if connection.vendor == "sqlite":
        monkeypatch.setitem(options, "timeout", IMPATIENT_S)
        yield
        return
    monkeypatch.setitem(options, "options", f"-c lock_timeout={IMPATIENT_S}s")
    connection.close()
    connection.close_pool()
    yield
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
        other.execute("LOCK TABLE orchestration_run, orchestration_task, orchestration_worker IN EXCLUSIVE MODE")
    yield
    other.rollback()
    other.close()
