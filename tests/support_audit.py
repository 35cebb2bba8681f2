"""What only a test may do: empty the audit log."""

from __future__ import annotations

from django.db import connection

from orchestration import guards
from orchestration.models import AuditEntry, AuditHead

TABLES = {"orchestration_auditentry", "orchestration_audithead"}


def without_guards(*statements):
    """Run SQL on the audit tables as somebody would who has dropped the triggers first."""
    with connection.cursor() as cursor:
        for guard in (g for g in guards.GUARDS if g.table in TABLES):
            suffix = f" ON {guard.table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {guard.name}{suffix}")
        for statement in statements:
            cursor.execute(*statement) if isinstance(statement, tuple) else cursor.execute(statement)
    guards.install(connection)


def forget_audit():
    """The log is empty again."""
    if AuditEntry.objects.exists() or AuditHead.objects.exists():
        without_guards(*(f"DELETE FROM {table}" for table in sorted(TABLES)))
