"""SQL handed to the database's driver as it is: for statements that run thousands of times a second.

On SQLite, Django's cursor rewrites the places of each statement and wraps each call: that takes longer than SQLite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import batched, chain
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.utils import CursorWrapper

ROWS_PER_STATEMENT = 25  # a statement costs as much as several rows: guards make the database prepare to undo it


def native(statement: str) -> str:
    """*statement* ("%s" for each value, no other "%") as the driver takes it. Once per process: for constants."""
    return statement.replace("%s", "?") if connection.vendor == "sqlite" else statement


def data_version() -> tuple[object, int] | None:
    """Something that is another once any other connection has committed to the same SQLite file; it costs no look into
    tables. None on PostgreSQL, which has nothing like it. It does not tell of this connection's own commits. The
    driver's connection is a part of it: numbers of two connections, such as those before and after a failure, may be
    equal by chance."""
    if connection.vendor != "sqlite":
        return None
    with driver_cursor() as cursor:
        return connection.connection, int(cursor.execute("PRAGMA data_version").fetchone()[0])


class driver_cursor:  # used like a function; a generator would cost as much as a small statement
    """A cursor for `native` statements, inside the caller's transaction. Errors are Django's.

    PostgreSQL prepares each statement once per session: to plan one takes as long as to run it. So its text must be one
    of few, and a session must stay with its process (PgBouncer's mode `session`).
    Whoever asks to see each statement (`connection.execute_wrapper`, on PostgreSQL `connection.queries` too) gets
    Django's own cursor.
    """

    __slots__ = ("_leave",)

    def __enter__(self) -> Any:
        here: Any = connections[DEFAULT_DB_ALIAS]  # once: each look through `django.db.connection` finds it anew
        if _watched(here):
            cursor = here.cursor()
            self._leave = cursor.__exit__
            return cursor.__enter__()
        self._leave = here.wrap_database_errors.__exit__  # has nothing to do when it is entered
        if here.vendor == "sqlite":
            if here.connection is None:
                here.ensure_connection()
            return here.connection.cursor()
        here.close_if_health_check_failed()
        here.ensure_connection()
        session = here.connection
        session.prepare_threshold = 0  # Django's cursors never prepare, whatever is said here
        return here.Database.Cursor(session)

    def __exit__(self, *failure: Any) -> None:
        self._leave(*failure)


def _watched(here: Any) -> bool:
    """Whether somebody looks at the statements that pass through Django's cursors."""
    return bool(here.execute_wrappers) or (here.vendor == "postgresql" and here.queries_logged)


def replan() -> None:
    """Have PostgreSQL forget this session's plans, not its statements. One that was made while a table was empty would
    walk through it until the table is analysed, which takes a minute or more."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DISCARD PLANS")


@contextmanager
def pipelined() -> Iterator[None]:
    """On PostgreSQL no statement of a `driver_cursor` is waited for in here: while the server works on one, the next is
    made. Nothing may be read; counts are there afterwards, of each cursor the last one (see `another`)."""
    here: Any = connections[DEFAULT_DB_ALIAS]
    if here.vendor == "sqlite" or _watched(here):
        yield
    else:
        with here.connection.pipeline():
            yield


def another(cursor: Any) -> Any:
    """One more cursor like *cursor*, a `driver_cursor`."""
    if isinstance(cursor, CursorWrapper):
        return connections[DEFAULT_DB_ALIAS].cursor()
    return type(cursor)(cursor.connection)


class Insert:
    """An INSERT of any number of rows by *head* ("INSERT ... VALUES ") and *places* ("(%s, ...)" of one row)."""

    def __init__(self, head: str, places: str) -> None:
        self._of = [native(head + ", ".join([places] * count)) for count in range(ROWS_PER_STATEMENT + 1)]

    def run(self, cursor: Any, rows: Sequence[tuple[Any, ...]]) -> None:
        """Store *rows*, up to 25 to a statement. *cursor*: a `driver_cursor`."""
        many = len(rows) - len(rows) % ROWS_PER_STATEMENT
        if many:
            blocks = batched(rows[:many], ROWS_PER_STATEMENT)
            cursor.executemany(self._of[-1], [tuple(chain(*block)) for block in blocks])
        if rest := rows[many:]:
            cursor.execute(self._of[len(rest)], tuple(chain(*rest)))


class ArrayInsert:
    """An INSERT of any number of rows as one array per column: PostgreSQL, to which each value of its own is work.

    *types* of the columns are PostgreSQL's, *rest* are columns with the same SQL in each row.
    """

    def __init__(self, table: str, types: Mapping[str, str], rest: Mapping[str, str]) -> None:
        arrays = ", ".join(f"%s::{type_}[]" for type_ in types.values())
        self._statement = (
            f"INSERT INTO {table} ({', '.join([*types, *rest])}) SELECT {', '.join(['v.*', *rest.values()])}"
            f" FROM unnest({arrays}) AS v"
        )

    def run(self, cursor: Any, rows: Sequence[tuple[Any, ...]]) -> None:
        """Store *rows* by one statement."""
        if rows:
            cursor.execute(self._statement, array_columns(rows))


def insert_into(table: str, types: Mapping[str, str], rest: Mapping[str, str] | None = None) -> Insert | ArrayInsert:
    """An INSERT into *table* as this database takes it fastest. For constants, as `native`."""
    rest = rest or {}
    if connection.vendor == "postgresql":
        return ArrayInsert(table, types, rest)
    places = ", ".join([*["%s"] * len(types), *rest.values()])
    return Insert(f"INSERT INTO {table} ({', '.join([*types, *rest])}) VALUES ", f"({places})")


def array_columns(rows: Sequence[Sequence[Any]]) -> list[str]:
    """The `array_text` of each column of *rows*."""
    return [array_text(column) for column in zip(*rows, strict=True)]


def array_text(values: Sequence[Any]) -> str:
    """*values* of one type (or None) as the text of a PostgreSQL array, for a place such as "%s::text[]".

    The driver takes each value of a list through several calls: that was half of the engine's own processor time.
    """
    if not values:
        return "{}"
    first = values[0]
    if values.count(first) == len(values):  # half of the columns of a step
        return "{" + ",".join([_element(first)] * len(values)) + "}"
    kind = None if None in values else type(first)
    if kind is str:  # all at once: NUL stays where it is, and the driver refuses it
        return '{"' + '","'.join([v.replace("\\", "\\\\").replace('"', '\\"') for v in values]) + '"}'
    return "{" + ",".join(map(int.__repr__ if kind is int else _element, values)) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
