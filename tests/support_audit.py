"""What only a test may do: empty the audit log."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager

from django.db import connection, transaction

from orchestration.models import AuditEntry, AuditHead

TABLES = {"orchestration_auditentry", "orchestration_audithead"}


@contextmanager
def unguarded():
    """Meanwhile no trigger of the database does anything for this connection."""
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        connection.connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
        try:
            yield
        finally:
            connection.connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, True)
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            yield
            cursor.execute("SET LOCAL session_replication_role = origin")


def without_guards(*statements):
    """Run SQL on the audit tables as somebody would who has dropped the triggers first."""
    with unguarded(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(*statement) if isinstance(statement, tuple) else cursor.execute(statement)


def forget_audit():
    """The log is empty again."""
    if AuditEntry.objects.exists() or AuditHead.objects.exists():
        without_guards(*(f"DELETE FROM {table}" for table in sorted(TABLES)))
