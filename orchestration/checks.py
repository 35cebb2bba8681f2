"""System checks of the tables: `manage.py check --database default`, and before every `migrate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from orchestration import guards

MIGRATION = ("orchestration", "0003_guards")


@register(Tags.database)
def check_guards(*, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """A warning (an error would keep `migrate` from mending it) when triggers are gone that 0003 has made."""
    return [message for alias in databases or () for message in _check_one(alias)]


def _check_one(alias: str) -> list[CheckMessage]:
    connection = connections[alias]
    if MIGRATION not in MigrationRecorder(connection).applied_migrations():
        return []
    missing = guards.missing(connection)
    if not missing:
        return []
    hint = "Call orchestration.guards.install(connection); `manage.py up` does it."
    return [Warning(f"The database lacks the triggers {', '.join(missing)}.", hint=hint, id="orchestration.W001")]
