"""Fields that mean the same on every database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.fields.json import JSONExact, KeyTransform
from django.db.models.lookups import IContains

if TYPE_CHECKING:
    _CharField = models.CharField[str, str]
else:
    _CharField = models.CharField


class JsonField(models.JSONField):
    """JSON that is given back as it was stored, and can be compared: text on every database.

    PostgreSQL's jsonb sorts keys and makes an integer of 1e22; its json knows no DISTINCT.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "text" if connection.vendor == "postgresql" else super().db_type(connection)

    def db_check(self, connection: BaseDatabaseWrapper) -> str | None:
        if connection.vendor == "postgresql":
            column = connection.ops.quote_name(str(self.column))
            return f"{column} IS NULL OR {column}::json IS NOT NULL"  # the cast is an error unless it is JSON
        return super().db_check(connection)

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        adapted = super().get_db_prep_value(value, connection, prepared)
        return adapted.dumps(adapted.obj) if connection.vendor == "postgresql" else adapted

    def get_transform(self, lookup_name: str) -> Any:
        return _transform(super().get_transform(lookup_name))


class NameField(_CharField):
    """Text that sorts and is searched alike everywhere: by code points, and only ASCII letters have two cases."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters: dict[str, Any] = dict(super().db_parameters(connection))
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        return parameters


@NameField.register_lookup
class NameContains(IContains):
    """Both sides with the field's collation: the text that is looked for has none of its own."""

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        left, left_values = self.process_lhs(compiler, connection)
        right, right_values = self.process_rhs(compiler, connection)
        return f'UPPER({left} COLLATE "C") LIKE UPPER({right} COLLATE "C")', (*left_values, *right_values)


@JsonField.register_lookup
class Exact(JSONExact):
    """Values are compared, not texts: PostgreSQL can compare jsonb alone."""

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        left, left_values = self.process_lhs(compiler, connection)
        right, right_values = self.process_rhs(compiler, connection)
        return f"({left})::jsonb = ({right})::jsonb", (*left_values, *right_values)


class _Jsonb(models.JSONField):
    """What is inside of a value."""

    def get_transform(self, lookup_name: str) -> Any:
        return _transform(super().get_transform(lookup_name))


class _Key(KeyTransform):
    """Of a value, seen as jsonb for the query."""

    output_field = _Jsonb()

    def preprocess_lhs(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        column, *rest = super().preprocess_lhs(compiler, connection)
        return (f"({column})::jsonb" if connection.vendor == "postgresql" else column), *rest


def _transform(made: Any) -> Any:
    name = getattr(made, "key_name", None)
    return made if name is None else lambda *args, **kwargs: _Key(name, *args, **kwargs)
