"""What the commands of scale-out check before they begin."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def only_on_postgresql(command: str) -> None:
    """Raises CommandError on any other database."""
    if connection.vendor != "postgresql":
        raise CommandError(
            f"manage.py {command} needs PostgreSQL: set DATABASE_URL (docs/scale-out.md). "
            "With SQLite, manage.py up does everything in one process.",
            returncode=2,
        )


def check_tables() -> None:
    """Raises CommandError when the tables are not those of this version: many processes must not all migrate."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise CommandError("The database is not up to date: run manage.py migrate once, then start this.", returncode=2)
