"""Faults that a test puts into the database itself."""

from __future__ import annotations

from contextlib import contextmanager

from django.db import connection

FUNCTION = """CREATE FUNCTION t_poison() RETURNS trigger LANGUAGE plpgsql AS
 $$ BEGIN IF {condition} THEN RAISE EXCEPTION '{message}'; END IF; RETURN NEW; END $$"""
POSTGRES = (
    FUNCTION,
    "CREATE TRIGGER t_poison BEFORE UPDATE ON orchestration_attempt FOR EACH ROW EXECUTE FUNCTION t_poison()",
)
SQLITE = (
    "CREATE TRIGGER t_poison BEFORE UPDATE ON orchestration_attempt WHEN {condition} "
    "BEGIN SELECT RAISE(ABORT, '{message}'); END",
)
END = {
    "postgresql": (
        "DROP TRIGGER IF EXISTS t_poison ON orchestration_attempt",
        "DROP FUNCTION IF EXISTS t_poison",
    ),
    "sqlite": ("DROP TRIGGER IF EXISTS t_poison",),
}


@contextmanager
def unstorable_attempts(condition, message="cannot be stored"):
    """Meanwhile no change of an attempt can be stored that fits *condition*; `end()` of what it gives is the end."""

    def run(statements):
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement.format(condition=condition, message=message))

    run(POSTGRES if connection.vendor == "postgresql" else SQLITE)
    try:
        yield lambda: run(END[connection.vendor])
    finally:
        run(END[connection.vendor])
