"""A database of SQLite, row by row into an empty one of PostgreSQL: ids, times, events and audit log as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Field, Model

from orchestration import guards
from orchestration.domain.errors import Conflict
from orchestration.models import Tree

SOURCE = "source"
ROWS = 500


def copy_from(path: Path) -> dict[str, int]:
    """Table -> rows, once all of the file is in the database of this process, in one transaction.

    Raises Conflict: not an empty PostgreSQL database, or the file is not of this version; DatabaseError. Effects: what
    a first start puts into a new database is replaced.
    """
    connections.databases[SOURCE] = connections.databases["default"] | _of_file(path)
    try:
        _check()
        with transaction.atomic(using=SOURCE), transaction.atomic():  # the former keeps writers away from the file
            return _copy()
    finally:
        connections[SOURCE].close()
        del connections[SOURCE], connections.databases[SOURCE]


def _of_file(path: Path) -> dict[str, Any]:
    options = {"transaction_mode": "IMMEDIATE", "timeout": 20}
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": options}


def _check() -> None:
    if connection.vendor != "postgresql":
        raise Conflict("this database is not PostgreSQL: set DATABASE_URL", code="not_postgresql")
    labels = {model._meta.app_label for model in _models()}  # not those that are for PostgreSQL alone
    for alias, what in ((SOURCE, "the file"), ("default", "the database")):
        executor = MigrationExecutor(connections[alias])
        leaves = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] in labels]
        if executor.migration_plan(leaves):
            raise Conflict(f"{what} is not of this version: run `manage.py migrate` on it first", code="other_version")
    if Tree.objects.exists():
        raise Conflict("the database has trees already: name an empty one", code="not_empty")


def _copy() -> dict[str, int]:
    models = _models()
    guards.uninstall(connection)
    quote = connection.ops.quote_name
    counts = {}
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE " + ", ".join(quote(model._meta.db_table) for model in models))
        for model in models:
            columns = ", ".join(quote(str(field.column)) for field in model._meta.local_concrete_fields)
            counts[model._meta.db_table] = 0
            with cursor.copy(f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN") as copy:
                for row in _rows(model):
                    copy.write_row(row)
                    counts[model._meta.db_table] += 1
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else the triggers could not be made
    guards.install(connection)
    return counts


def _models() -> list[type[Model]]:
    every = apps.get_models(include_auto_created=True)
    return [model for model in every if model._meta.managed and not model._meta.proxy]


def _rows(model: type[Model]) -> Iterator[Sequence[Any]]:
    fields = model._meta.local_concrete_fields
    converters = [_converter(field) for field in fields]
    quote = connections[SOURCE].ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    with connections[SOURCE].cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {quote(model._meta.db_table)}")  # noqa: S608  names of models
        while rows := cursor.fetchmany(ROWS):
            for row in rows:
                yield [
                    value if value is None or convert is None else convert(value)
                    for value, convert in zip(row, converters, strict=True)
                ]


def _converter(field: Field[Any, Any]) -> Callable[[Any], Any] | None:
    """From what SQLite stores to what PostgreSQL takes; JSON is text on both."""
    while field.is_relation and field.related_model is not None:
        field = field.target_field  # type: ignore[attr-defined]
    converters: dict[str, Callable[[Any], Any]] = {
        "UUIDField": UUID,
        "BooleanField": bool,
        "DateTimeField": _time,
        "BinaryField": bytes,
    }
    return converters.get(field.get_internal_type())


def _time(value: Any) -> datetime:
    time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
