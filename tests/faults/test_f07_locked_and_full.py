"""F7, F9 and clause 22: the file of the database is locked, or full; then it is not, and work goes on."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from apflow_site.databases import WAIT_S
from tests.faults.bad.apps import BOUND
from tests.faults.support import until
from tests.settings import POSTGRES

pytestmark = [
    pytest.mark.fault,
    pytest.mark.slow,
    pytest.mark.skipif(POSTGRES, reason="only on SQLite: about its file"),
]

LOCKED_S = [float(s) for s in os.environ.get("FAULT_LOCKED", "1").split(",")]
ROOM = 12  # pages, until the disk is full
SHORT_S = 2.0  # instead of WAIT_S, where everybody is to give up


def ready(place, server):
    answer = place.client.get(f"{server.url}/readyz")
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


@pytest.mark.parametrize("seconds", LOCKED_S)
def test_f07_locked_for_a_while(place, seconds):
    """Who asks waits, up to 20 s; then the answer is 503. FAULT_LOCKED=1,19,60 tries all of it."""
    server = place.server()
    run = place.small(s=0.2)
    with ThreadPoolExecutor(1) as people:
        with nobody_writes(place):
            began = time.monotonic()
            asked = people.submit(place.post, server.url, "trees/", {"tasks": [{"name": "new", "executor": "noop"}]})
            time.sleep(seconds)  # the fault itself
            assert asked.done() == (seconds > WAIT_S)
        answer = asked.result()
    late = seconds > WAIT_S
    assert place.count("orchestration_tree") == (1 if late else 2)
    if late:
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    else:
        assert answer.status_code == 201, answer.text
        assert time.monotonic() - began >= seconds
    assert place.run_ended(run) == "completed"
    assert place.post(server.url, "trees/1/runs/", {"mode": "all"}).status_code == 202
    until(lambda: not place.count("orchestration_run WHERE status = 'in_progress'"), "the end of both")
    place.right()


def test_f07_locked_for_longer_than_anybody_waits(place, stack):
    """The page answers 503 with Retry-After, the engine says that it is degraded; both go on by themselves."""
    place.environment["DATABASE_URL"] = f"sqlite:///{place.file}?timeout={SHORT_S}"
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
        until(lambda: ready(place, server) == (503, "degraded"), "the engine's trouble", WAIT_S)
        for person in people:
            person.join(60)
        waited = time.monotonic() - began
        assert place.client.get(f"{server.url}/healthz").status_code == 200
    (answer,) = answers
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    (page,) = pages
    assert (page.status_code, page.headers["Content-Type"][:9]) == (503, "text/html"), page.text
    assert "database does not answer" in page.text
    assert 'http-equiv="refresh"' not in page.text  # what was sent would be asked for, not sent again
    assert waited > SHORT_S - 0.2
    assert place.run_ended(run) == "completed"
    until(lambda: ready(place, server)[0] == 200, "readiness")
    assert place.count("orchestration_tree") == 1
    place.right(once=["a", "b"])


def test_f09_no_byte_more(place):
    """The file system takes nothing more, then it does: no half rows, and nobody has to start anything again."""
    server = place.server()
    run = place.begin(*(place.task(f"t{n}", s=0.05, after=[f"t{n - 1}"] if n else []) for n in range(30)))
    place.wait(lambda: place.marks()["t2"], "some work")
    process = psutil.Process(server.pid)
    process.rlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
    until(lambda: ready(place, server)[1] == "degraded", "the engine's trouble")
    refused = place.post(server.url, "trees/", {"tasks": [{"name": "no", "executor": "noop"}]})
    assert refused.status_code == 503, refused.text
    process.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert place.run_ended(run) == "completed"
    assert server.code is None
    until(lambda: ready(place, server)[0] == 200, "readiness")
    place.right()


def test_f09_no_page_more(place):
    """SQLite itself says that the disk is full. Every connection is bounded from its start, until it is not."""
    names = [f"t{n}" for n in range(40)]
    run = place.begin(*(place.task(name, after=names[n - 1 : n], text="x" * 2000) for n, name in enumerate(names)))
    bound = place.folder / BOUND
    bound.write_text(str(place.one("PRAGMA page_count") + ROOM))
    server = place.server()
    until(lambda: "database or disk is full" in place.log("up"), "the engine's trouble")
    assert ready(place, server) == (503, "degraded")
    assert place.status(run) == "in_progress"
    large = {"tasks": [{"name": "no", "executor": "noop", "inputs": {"text": "x" * 4096 * ROOM}}]}
    refused = place.post(server.url, "trees/", large)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
    bound.unlink()
    assert place.run_ended(run) == "completed"
    assert server.code is None
    until(lambda: ready(place, server)[0] == 200, "readiness")
    assert place.count("orchestration_tree") == 1
    place.right(once=names)
