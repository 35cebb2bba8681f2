"""Ids as text straight from the database: to make UUIDs of tens of thousands costs more than the query."""

from __future__ import annotations

from typing import Any

from django.db.models import CharField, Func


class Hex(Func):
    """The 32 hex digits of a column of UUIDs, None where it is NULL."""

    output_field = CharField()
    template = "encode(uuid_send(%(expressions)s), 'hex')"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, template="%(expressions)s", **context)  # stored as such
