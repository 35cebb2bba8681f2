"""F8 and clauses 7 and 22: somebody holds a row, or locks rows in another order, or has changed what was read."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import psycopg
import pytest

from tests.faults.support import until
from tests.settings import POSTGRES

pytestmark = [
    pytest.mark.fault,
    pytest.mark.slow,
    pytest.mark.skipif(not POSTGRES, reason="only on PostgreSQL: about its locks"),
]

PATIENCE_S = 2  # of the sessions under test, instead of 20: for a lock, and until they look for a circle
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"


@pytest.fixture
def with_options(make):
    """with_options(**settings): an installation whose sessions have them."""

    def build(**settings):
        place = make()
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        place.environment["DATABASE_URL"] += f"?options={quote(options)}"
        return place

    return build


@contextlib.contextmanager
def somebody(place):
    """A session of somebody who is more patient than everybody here."""
    with psycopg.connect(place.environment["DATABASE_URL"]) as other:
        other.execute("SET deadlock_timeout = '60s'")
        other.execute("SET lock_timeout = 0")
        other.commit()
        yield other
        other.rollback()


def until_waited_for(place, other):
    with psycopg.connect(place.environment["DATABASE_URL"], autocommit=True) as watcher:
        until(lambda: watcher.execute(WAITING, [other.info.backend_pid]).fetchone() != (0,), "a wait for a lock")


def about_to_end(place):
    """A run whose first task ends as soon as the gate opens."""
    run = place.begin(place.task("a", hold=True), place.task("b", after=["a"]))
    place.begun("a")
    return run


def test_f08_a_deadlock_has_one_winner_and_the_other_tries_again(with_options):
    """Somebody locks rows in another order than everybody here; it is the engine that loses."""
    place = with_options(deadlock_timeout=f"{PATIENCE_S}s")
    place.engine("--here")
    run = about_to_end(place)
    with somebody(place) as other:
        other.execute("SELECT 1 FROM orchestration_task FOR UPDATE")
        place.go()
        until_waited_for(place, other)  # the engine has locked the run, and wants a task
        other.execute("SELECT 1 FROM orchestration_run FOR UPDATE")
        until(lambda: "deadlock detected" in place.log("engine"), "the engine's loss")
    assert place.run_ended(run) == "completed"
    place.right(once=["a", "b"])


def test_f08_serialization_errors_are_tried_again(with_options):
    """Somebody changes what the engine's transaction has read before."""
    place = with_options(default_transaction_isolation="serializable")
    engine = place.engine("--here")
    run = about_to_end(place)
    with somebody(place) as other:
        other.execute("UPDATE orchestration_run SET seq = seq")
        place.go()
        until_waited_for(place, other)
        other.commit()
        until(lambda: "could not serialize" in place.log("engine"), "the engine's loss")
    assert place.run_ended(run) == "completed"
    assert engine.code is None
    place.right(once=["a", "b"])


def test_f08_a_request_waits_for_a_row_and_gives_up_in_time(with_options):
    place = with_options(lock_timeout=f"{PATIENCE_S}s")
    web = place.web()
    run = place.begin(place.task("a"))

    def cancel():
        return place.post(web.url, f"runs/{run}/cancel/", {"reason": "enough"})

    with somebody(place) as other:
        other.execute("SELECT 1 FROM orchestration_run FOR UPDATE")
        answer = cancel()
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    assert place.status(run) == "in_progress"
    with ThreadPoolExecutor(1) as people, somebody(place) as other:
        other.execute("SELECT 1 FROM orchestration_run FOR UPDATE")
        asked = people.submit(cancel)
        until_waited_for(place, other)
        assert not asked.done()
        other.rollback()
        assert asked.result().status_code == 200, asked.result().text
    assert place.run_ended(run) == "cancelled"
