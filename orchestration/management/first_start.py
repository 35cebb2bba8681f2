"""What a first start prepares: data directory, tables, guards, the first user. Later starts find nothing to do."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from orchestration import guards
from orchestration.management.local_user import LOCAL

ADMIN = "admin"
PREPARING = (0x6170666C, 2)  # beside the engine's lock, see engine/lock.py


@contextmanager
def alone() -> Iterator[None]:
    """Of several processes that prepare the same PostgreSQL database at the same time, one after another."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", PREPARING)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", PREPARING)


def data_dir_prepare(path: Path) -> None:
    """The directory exists; a new one is readable by this user only."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)


def database_prepare() -> bool:
    """Whether the tables had to be brought up to date. Effects: migrates; puts back guards that are gone."""
    executor = MigrationExecutor(connection)
    behind = bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if behind:
        call_command("migrate", verbosity=0, interactive=False)
    if guards.missing(connection):
        with transaction.atomic():
            guards.install(connection)
    return behind


@transaction.atomic
def admin_create() -> tuple[User, str] | None:
    """The first superuser and its password, which is stored nowhere else; None when there are users already.

    The user of `run_tree` does not count: it cannot log in.
    """
    if User.objects.exclude(username=LOCAL).exists():
        return None
    password = secrets.token_urlsafe(12)
    return User.objects.create_superuser(ADMIN, password=password), password
