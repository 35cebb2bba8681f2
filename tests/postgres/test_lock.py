"""Two machines never lead at once: their data directories differ, their database is one."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.db import connection

from orchestration.engine.lock import KEY, EngineHeld, EngineLock

pytestmark = pytest.mark.django_db(transaction=True)

CUT = """SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s
 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
ANOTHER_PROCESS = """
import sys, psycopg
session = psycopg.connect(sys.argv[1], autocommit=True)
print(session.execute("SELECT pg_try_advisory_lock(%s, %s)", [int(n) for n in sys.argv[2:]]).fetchone()[0], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def machines(tmp_path):
    made = EngineLock(tmp_path / "one"), EngineLock(tmp_path / "two")
    yield made
    for lock in made:
        lock.release()


def cut_the_connection():
    with connection.cursor() as cursor:
        cursor.execute(CUT, KEY)
        assert len(cursor.fetchall()) == 1


@pytest.mark.fault
def test_a_second_machine_is_refused_until_the_first_gives_back(machines):
    one, two = machines
    one.acquire()
    with pytest.raises(EngineHeld, match="on this database already: apflow engine "):
        two.acquire()
    one.keep()
    one.release()
    two.acquire()
    with pytest.raises(EngineHeld):
        one.acquire()
    two.release()
    one.acquire()  # what was refused before left no file lock behind


def test_a_connection_that_broke_is_made_again(machines):
    one, two = machines
    one.acquire()
    cut_the_connection()
    one.keep()
    with pytest.raises(EngineHeld):
        two.acquire()


def test_who_was_away_too_long_hears_of_the_other(machines):
    one, two = machines
    one.acquire()
    cut_the_connection()
    two.acquire()
    with pytest.raises(EngineHeld, match="on this database already"):
        one.keep()
    two.keep()


def test_the_lock_of_a_killed_machine_is_free(machines):
    one, _ = machines
    connection.ensure_connection()
    info = connection.connection.info
    command = [sys.executable, "-c", ANOTHER_PROCESS, info.dsn, *map(str, KEY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"True\n"
        with pytest.raises(EngineHeld):
            one.acquire()
        other.kill()
    while True:  # until the server has noticed
        try:
            return one.acquire()
        except EngineHeld:
            connection.ensure_connection()
