"""What tells that another connection has committed."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from orchestration.driver import data_version
from tests.factories import make_user
from tests.settings import POSTGRES
from tests.support_needs import ONLY_ON

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(POSTGRES, reason=f"{ONLY_ON}SQLite: PostgreSQL has nothing like it"),
]


def elsewhere(work):
    """*work*, done by another connection."""

    def run():
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_it_changes_with_each_commit_of_others_only():
    first = data_version()
    make_user("mine")
    assert data_version() == first
    elsewhere(lambda: make_user("ann"))
    second = data_version()
    assert second != first
    assert data_version() == second
    elsewhere(lambda: make_user("bob"))
    assert data_version() not in (first, second)


def test_it_is_another_after_a_new_connection():
    first = data_version()
    held = connection.connection
    connection.connection = None  # as after a failure; an in-memory database must keep a connection meanwhile
    try:
        connection.ensure_connection()
        assert data_version() != first
    finally:
        connection.connection.close()
        connection.connection = held
