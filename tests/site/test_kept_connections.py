"""SQLite: the connection of a request serves the next one, where nobody could tell it from a new one."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from apflow_site.databases import database
from orchestration.sqlite3.base import MOST, close_idle
from tests.support_processes import ROOT, environment_of

pytestmark = pytest.mark.django_db  # the connections here are others, but may be made


def opened(folder, **options):
    """A wrapper of its own, as each thread has one."""
    entry = database("", folder, pool=0, synchronous="NORMAL")
    entry["OPTIONS"] |= options
    return ConnectionHandler({"default": entry})["default"]


@pytest.fixture
def first(tmp_path):
    wrapper = opened(tmp_path)
    wrapper.cursor().execute("CREATE TABLE numbers (n INTEGER)")
    yield wrapper
    wrapper.close()
    close_idle()


def mark(wrapper):
    """Something that lasts as long as the connection."""
    with wrapper.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE mark (n INTEGER)")


def marked(wrapper):
    with wrapper.cursor() as cursor:
        return cursor.execute("SELECT count(*) FROM sqlite_temp_master").fetchone()[0] == 1


def kept_after(wrapper, folder, **options):
    """Whether the next one gets the connection of *wrapper* when its request ends now."""
    mark(wrapper)
    wrapper.close_if_unusable_or_obsolete()
    with closing(opened(folder, **options)) as following:
        return marked(following)


def write(wrapper):
    with wrapper.cursor() as cursor:
        cursor.execute("INSERT INTO numbers VALUES (1)")


def count(wrapper):
    with wrapper.cursor() as cursor:
        return cursor.execute("SELECT count(*) FROM numbers").fetchone()[0]


def test_the_next_request_has_it(first, tmp_path):
    write(first)
    assert kept_after(first, tmp_path)


def test_one_that_is_closed_is_closed(first, tmp_path):
    session = first.connection
    first.close()
    with pytest.raises(sqlite3.ProgrammingError):
        session.execute("SELECT 1")


def test_whoever_still_reads_keeps_nothing_from_others(first, tmp_path):
    """A cursor that has not read all rows sees the database as it was: so would all that comes after it."""
    for _ in range(3):
        write(first)
    reading = first.cursor().execute("SELECT n FROM numbers")
    reading.fetchone()
    first.close_if_unusable_or_obsolete()
    with closing(sqlite3.connect(tmp_path / "apflow.sqlite3")) as other, other:
        other.execute("INSERT INTO numbers VALUES (4)")
    with closing(opened(tmp_path)) as following:
        assert count(following) == 4
    del reading


def test_after_an_error_it_is_not_kept(first, tmp_path):
    with pytest.raises(OperationalError):
        first.cursor().execute("SELECT nonsense FROM nowhere")
    assert not kept_after(first, tmp_path)


def test_nor_in_a_transaction(first, tmp_path):
    first.set_autocommit(False)
    write(first)
    assert not kept_after(first, tmp_path)
    assert count(first) == 0


def test_another_file_in_its_place_is_another_database(first, tmp_path):
    write(first)
    first.close_if_unusable_or_obsolete()
    file, other = tmp_path / "apflow.sqlite3", tmp_path / "restored"
    with closing(sqlite3.connect(other)) as made, made:
        made.execute("CREATE TABLE numbers (n INTEGER)")
    for rest in ("-wal", "-shm"):
        file.with_name(file.name + rest).unlink(missing_ok=True)
    other.replace(file)
    with closing(opened(tmp_path)) as following:
        assert count(following) == 0


def test_other_options_have_another(first, tmp_path):
    assert not kept_after(first, tmp_path, timeout=1)


def test_few_are_kept(first, tmp_path):
    wrappers = [opened(tmp_path) for _ in range(MOST + 3)]
    for wrapper in wrappers:
        mark(wrapper)
    for wrapper in wrappers:
        wrapper.close_if_unusable_or_obsolete()
    assert sum(marked(wrapper) for wrapper in wrappers) == MOST
    for wrapper in wrappers:
        wrapper.close()


ENDS = """
import os, django
django.setup()
from django.db import close_old_connections, connection
def asked(statement):
    with connection.cursor() as cursor:
        return cursor.execute(statement).fetchall()
asked("CREATE TABLE numbers (n INTEGER)")
session = id(connection.connection)
close_old_connections()
if os.fork() == 0:
    asked("INSERT INTO numbers VALUES (1)")
    forked = id(connection.connection)
    connection.close()
    os._exit(1 if forked == session else 0)
print(os.waitstatus_to_exitcode(os.wait()[1]))
print(asked("SELECT count(*) FROM numbers")[0][0], id(connection.connection) == session)
close_old_connections()
"""


def test_a_forked_process_has_its_own_and_the_end_of_the_process_leaves_no_log(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", ENDS], cwd=ROOT, env=environment_of(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "1", "True"], done.stderr
    assert sorted(path.name for path in tmp_path.glob("apflow.sqlite3*")) == ["apflow.sqlite3"]
