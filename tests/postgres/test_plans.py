"""Statements of engine and workers are planned once per session, and anew with each sign of life: tables grow."""

from __future__ import annotations

import pytest
from django.db import connection

from orchestration.driver import driver_cursor
from orchestration.services import picking_up, transitions_bulk, workers

pytestmark = pytest.mark.django_db

LOOK = "SELECT text FROM grows WHERE id = %s"


def ask(cursor):
    cursor.execute(LOOK, [7])
    return cursor.fetchall()


def names():
    """The prepared statements that are LOOK, by the name that the session knows them by."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE 'SELECT text FROM grows%%'")
        return [name for (name,) in cursor.fetchall()]


def plan_of(name):
    with connection.cursor() as cursor:
        cursor.execute(f'EXPLAIN EXECUTE "{name}" (7)')
        return "\n".join(line for (line,) in cursor.fetchall())


def test_a_plan_lasts_until_the_next_sign_of_life():
    with driver_cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE grows (id int, text text) ON COMMIT DROP")
        cursor.execute("CREATE INDEX grows_by_id ON grows (id)")
        cursor.execute("INSERT INTO grows VALUES (7, 'seven')")
        cursor.execute("ANALYZE grows")
        assert [ask(cursor) for _ in range(3)] == [[("seven",)]] * 3
        (name,) = names()
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        assert "Seq Scan" in plan_of(name)
        cursor.execute("INSERT INTO grows SELECT n, n FROM generate_series(8, 20000) AS n")
        assert "Seq Scan" in plan_of(name)  # this is why
        workers.beat("somebody")
        assert "Index Scan" in plan_of(name)
        assert ask(cursor) == [("seven",)]
        assert names() == [name]


@pytest.mark.parametrize("statement", [transitions_bulk.TASKS, transitions_bulk.ATTEMPTS, picking_up.PICK_UP])
def test_rows_of_a_step_are_looked_up_and_not_compared_with_each_live_one(statement):
    """With the plan that is made while nobody works: a thousand that are live meet a thousand that end."""
    places = statement.count("%s")
    numbered = statement % tuple(f"${number + 1}" for number in range(places))
    with connection.cursor() as cursor:
        cursor.execute(f"PREPARE step AS {numbered}")
        cursor.execute(f"EXPLAIN EXECUTE step ({', '.join(['NULL'] * places)})")
        plan = [line for (line,) in cursor.fetchall()]
        cursor.execute("DEALLOCATE step")
    (step,) = (place for place, line in enumerate(plan) if "Function Scan" in line)
    inside = plan[step].index("->")
    around = next(line for line in reversed(plan[:step]) if "->" in line and line.index("->") <= inside)
    assert "Update on" in plan[0]
    assert around.index("->") < inside, "\n".join(plan)  # else it is read again for each row of what stands before it
