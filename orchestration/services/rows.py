"""Fast, set-based storing: one statement for many rows, with the values in the form that the database takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import AutoField, Field, Model

from orchestration.driver import ArrayInsert, Insert, driver_cursor, insert_into


def db_json(value: Any) -> str:
    """*value* as compact JSON text. The text of an empty object costs nothing: most tasks have several."""
    return "{}" if value == {} else orjson.dumps(value).decode()


def db_time(at: datetime | None) -> Any:
    """*at* as the database takes it."""
    return None if at is None else connection.ops.adapt_datetimefield_value(at)


def db_uuid(hex_id: str | None) -> Any:
    """32 hex digits as the database takes them."""
    return UUID(hex_id) if hex_id is not None and connection.features.has_native_uuid_field else hex_id


def db_uuids(hex_ids: Iterable[str]) -> list[Any]:
    """Many of `db_uuid`."""
    return [UUID(h) for h in hex_ids] if connection.features.has_native_uuid_field else list(hex_ids)


def insert_rows(model: type[Model], fields: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert *rows* (values of *fields*, in that order, made by the db_* helpers); other fields get their defaults.

    Effects: one statement per 25 rows and one for the rest, on PostgreSQL one for all. No signals, no validation. Call
    it in a transaction.
    """
    if not rows:
        return
    insert, constants = _insert(model, tuple(fields))
    with driver_cursor() as cursor:
        insert.run(cursor, [(*row, *constants) for row in rows] if constants else rows)


@lru_cache(maxsize=64)
def _insert(model: type[Model], names: tuple[str, ...]) -> tuple[Insert | ArrayInsert, tuple[Any, ...]]:
    by_name = {field.name: field for field in model._meta.concrete_fields}
    fields = [by_name[name] for name in names]
    constants = []
    for name, field in by_name.items():
        if name not in names and not isinstance(field, AutoField):
            value = _default(field)
            if value is not None:
                fields.append(field)
                constants.append(value)
    quote = connection.ops.quote_name
    types = {quote(str(field.column)): _type(field) for field in fields}
    return insert_into(quote(model._meta.db_table), types), tuple(constants)


def _type(field: Field[Any, Any]) -> str:
    """The column's, without its length: a cast to it would cut off what is too long."""
    return str(field.db_type(connection)).partition("(")[0]


def _default(field: Field[Any, Any]) -> Any:
    return field.get_db_prep_save(field.get_default(), connection) if field.has_default() else None
