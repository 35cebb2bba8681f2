"""F7, F8, F9 and clause 22: the database is locked, in a deadlock, full; then it is not, and work goes on."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import threading
import time

import httpx
import psutil
import psycopg
import pytest

from tests.faults.support import until
from tests.settings import POSTGRES

pytestmark = [pytest.mark.fault, pytest.mark.slow]

on_sqlite = pytest.mark.skipif(POSTGRES, reason="only on SQLite: about its file")
on_postgresql = pytest.mark.skipif(not POSTGRES, reason="only on PostgreSQL: about its locks")
WAIT_S = 20.0  # apflow_site.databases


def ready(server):
    answer = httpx.get(f"{server.url}/readyz", timeout=30, trust_env=False)
    return answer.status_code, answer.json()["status"]


@contextlib.contextmanager
def nobody_writes(place):
    with contextlib.closing(sqlite3.connect(place.file, isolation_level=None, timeout=20)) as file:
        file.execute("BEGIN EXCLUSIVE")
        yield
        file.execute("ROLLBACK")


@pytest.fixture
def stack():
    """What is closed at the end of a test."""
    with contextlib.ExitStack() as opened:
        yield opened


@on_sqlite
def test_f07_locked_for_a_second(place):
    server = place.server()
    run = place.small(s=0.2)
    with nobody_writes(place):
        time.sleep(1)  # the fault itself
    assert place.run_ended(run) == "completed"
    assert place.post(server.url, "trees/1/runs/", {"mode": "all"}).status_code == 202
    until(lambda: not place.count("orchestration_run WHERE status = 'in_progress'"), "the end of both")
    place.right()


@on_sqlite
def test_f07_locked_for_longer_than_anybody_waits(place, stack):
    """The page answers 503 with Retry-After, the engine says that it is degraded; both go on by themselves."""
    server = place.server()
    run = place.begin(place.task("a", hold=True), place.task("b", after=["a"]))
    place.begun("a")
    place.go()
    answers, pages = [], []
    tree = place.one("SELECT id FROM orchestration_tree")
    browser = stack.enter_context(httpx.Client(base_url=server.url, timeout=90, trust_env=False))
    browser.get("/login/")
    form = {"username": "who", "password": "none", "csrfmiddlewaretoken": browser.cookies["apflow_csrf"]}

    def sign_in():
        pages.append(browser.post("/login/", data=form))

    def ask():
        answers.append(place.post(server.url, "trees/", {"tasks": [{"name": f"of {tree}", "executor": "noop"}]}))

    with nobody_writes(place):
        people = [threading.Thread(target=what) for what in (ask, sign_in)]
        began = time.monotonic()
        for person in people:
            person.start()
        until(lambda: ready(server) == (503, "degraded"), "the engine's trouble", WAIT_S + 15)
        for person in people:
            person.join(WAIT_S + 20)
        waited = time.monotonic() - began
        assert httpx.get(f"{server.url}/healthz", trust_env=False).status_code == 200
    (answer,) = answers
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    (page,) = pages
    assert (page.status_code, page.headers["Content-Type"][:9]) == (503, "text/html"), page.text
    assert "database does not answer" in page.text
    assert 'http-equiv="refresh"' not in page.text  # what was sent would be asked for, not sent again
    assert waited > WAIT_S - 2
    assert place.run_ended(run) == "completed"
    until(lambda: ready(server)[0] == 200, "readiness")
    assert place.count("orchestration_tree") == 1
    place.right(once=["a", "b"])


@on_postgresql
def test_f08_a_deadlock_has_one_winner_and_the_other_tries_again(place):
    """Somebody locks rows in another order than everybody here."""
    place.running()
    run = place.begin(*(place.task(f"t{n}", s=0.05, after=[f"t{n - 1}"] if n else []) for n in range(40)))
    end = time.monotonic() + 4
    lost = 0
    with psycopg.connect(place.environment["DATABASE_URL"]) as other:
        other.execute("SET deadlock_timeout = '50ms'")
        while time.monotonic() < end:
            try:
                other.execute("SELECT 1 FROM orchestration_task WHERE status <> 'completed' ORDER BY id FOR UPDATE")
                other.execute("SELECT pg_sleep(0.1)")
                other.execute("SELECT 1 FROM orchestration_run FOR UPDATE")
                other.rollback()
            except psycopg.errors.DeadlockDetected:
                lost += 1
                other.rollback()
    assert lost or "deadlock" in place.log("engine"), "there was no deadlock"
    assert place.run_ended(run) == "completed"
    place.right(once=[f"t{n}" for n in range(40)])


@on_postgresql
def test_f08_serialization_errors_are_tried_again(make):
    place = make()
    place.environment["DATABASE_URL"] += "?options=-c%20default_transaction_isolation%3Dserializable"
    engine = place.engine("--here")
    web = place.web()
    runs = []
    for number in range(12):
        tree = {"tasks": [{"id": "root", "name": f"r{number}"}, *(place.task(f"t{n}", s=0.02) for n in range(5))]}
        pk = asked(place, web, "trees/", tree, f"t{number}")["id"]
        runs.append(asked(place, web, f"trees/{pk}/runs/", {"mode": "all"}, f"r{number}")["id"])
    for run in runs:
        assert place.run_ended(run) == "completed"
    assert engine.code is None
    place.right()


def asked(place, web, path, body, key):
    """The answer to a request that may be told to come again."""

    def answered():
        answer = place.post(web.url, path, body, key=key)
        assert answer.status_code in (201, 202, 503), answer.text
        return answer.json() if answer.status_code != 503 else None

    return until(answered, f"an answer to {path}")


@on_sqlite
def test_f09_no_byte_more(place):
    """The file system takes nothing more, then it does: no half rows, and nobody has to start anything again."""
    server = place.server()
    run = place.begin(*(place.task(f"t{n}", s=0.05, after=[f"t{n - 1}"] if n else []) for n in range(30)))
    place.wait(lambda: place.marks()["t2"], "some work")
    process = psutil.Process(server.pid)
    process.rlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    until(lambda: ready(server)[1] == "degraded", "the engine's trouble")
    refused = place.post(server.url, "trees/", {"tasks": [{"name": "no", "executor": "noop"}]})
    assert refused.status_code == 503, refused.text
    process.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert place.run_ended(run) == "completed"
    assert server.code is None
    until(lambda: ready(server)[0] == 200, "readiness")
    place.right()
