"""Which errors tell of the database itself, as the driver raises them."""

from __future__ import annotations

import time

import pytest
from django.db import DatabaseError, connection, transaction

from orchestration.away import is_away, is_read_only
from tests.factories import make_user
from tests.settings import POSTGRES

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not POSTGRES, reason="only on PostgreSQL: about its errors"),
]


def rows(query, *values):
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def of(statement):
    with pytest.raises(DatabaseError) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    return raised.value


def test_read_only():
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        with pytest.raises(DatabaseError) as raised:
            make_user()
    finally:
        connection.close()
    assert is_away(raised.value)
    assert is_read_only(raised.value)
    make_user()


def test_a_transaction_that_was_idle_for_too_long():
    end = time.monotonic() + 30
    own = connection.copy("own")
    own.settings_dict["OPTIONS"] = {k: v for k, v in own.settings_dict["OPTIONS"].items() if k != "pool"}
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
            cursor.execute("SET idle_in_transaction_session_timeout = '1ms'")
        own.set_autocommit(False)
        with own.cursor() as cursor:
            trouble = until_refused(cursor, end)
    finally:
        own.close()
    assert rows("SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid) == []
    assert is_away(trouble)
    assert not is_read_only(trouble)


def until_refused(cursor, end):
    """What the first statement raises that comes too late: on a busy machine it may be any of them."""
    while time.monotonic() < end:
        try:
            cursor.execute("SELECT pg_sleep(0)")
        except DatabaseError as error:
            return error
        time.sleep(0.01)  # what is too long for the server
    raise AssertionError("it was not cut off")


@pytest.mark.parametrize("statement", ["SELECT nothing", "SELECT 1/0", "SELECT 'x'::int"])
def test_what_is_wrong_with_a_statement_is_no_trouble_of_the_database(statement):
    assert not is_away(of(statement))


def test_a_transaction_that_has_failed_before():
    with transaction.atomic(), connection.cursor() as cursor:
        with pytest.raises(DatabaseError):
            cursor.execute("SELECT 1/0")
        with pytest.raises(DatabaseError) as raised:
            cursor.execute("SELECT 1")
    assert not is_away(raised.value)
