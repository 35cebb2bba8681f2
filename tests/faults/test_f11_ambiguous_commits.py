"""F11: it was written, and whoever wrote it is told that it may not be. And the plain failure at the same places."""

from __future__ import annotations

import pytest

from tests.faults import scenarios
from tests.faults.support import INSIDE
from tests.settings import POSTGRES

pytestmark = [pytest.mark.fault, pytest.mark.slow]

RUNS = 3
SPREAD = (2, 3, 4, 5, 7)  # at different moments, and more than one may happen in one step


def arranged(points, action):
    chosen = sorted(points)
    return {point: f"{action}@{SPREAD[number % len(SPREAD)]}" for number, point in enumerate(chosen)}


def told(place, name, points):
    log = place.log(name)
    missing = {point for point in points if f"failpoint {point}" not in log}
    assert not missing, f"nothing happened at {missing}"


@pytest.mark.parametrize("action", ["commit_then_raise", "raise"])
def test_engine(place, action):
    """Each task has had its effect once: what was started by a lost answer is found, and not started again."""
    points = scenarios.ENGINE.keys() - {"engine.recover", "engine.delivered"}
    failing = arranged(points, action) | {"engine.recover": f"{action}@1"}
    runs = [place.small(s=0.1) for _ in range(RUNS)]
    engine = place.running(failing)
    for run in runs:
        assert place.run_ended(run) == "completed"
    place.wait(lambda: "failpoint engine.heartbeat" in place.log(engine.name), "the second heartbeat")
    told(place, engine.name, points | {"engine.recover"})
    verdict = place.right()
    assert verdict["effects"] == verdict["committed"] == 6 * RUNS
    assert set(verdict["interrupted"]) <= {"engine_lost"}
    assert engine.code is None


def test_a_commit_that_comes_true_late_is_found(make):
    """It had been looked for once, right after the failure; the lease of what it had started was renewed for ever."""
    place = make(APFLOW_ASYNC_SLOTS="1")
    long = place.begin(place.task("long", hold=True))
    place.running()
    place.begun("long")
    run = place.begin(place.task("a"))
    [[_, _, _, engine]] = place.attempts("long")
    assert place.call("tests.faults.claiming:claimed_as", engine) == 1
    place.wait(lambda: [row[2] for row in place.attempts("a")] == ["engine_lost"], "its return")
    place.go()
    assert place.run_ended(run) == place.run_ended(long) == "completed"
    place.right(once=["a"])


@pytest.mark.skipif(not POSTGRES, reason="only on PostgreSQL: has worker processes")
@pytest.mark.parametrize("action", ["commit_then_raise", "raise"])
def test_workers(place, action):
    engine = place.engine(failpoints=arranged(scenarios.HANDING_OUT, action))
    worker = place.worker(arranged(scenarios.WORKER, action))
    runs = [place.small(s=0.3) for _ in range(RUNS)]
    for run in runs:
        assert place.run_ended(run) == "completed"
    told(place, engine.name, {"engine.dispatch"})
    assert "does not answer" in place.log(worker.name)
    place.right()
    assert (engine.code, worker.code) == (None, None)


@pytest.mark.skipif(not POSTGRES, reason="only on PostgreSQL: has worker processes")
def test_a_worker_begins_what_it_holds_though_its_sign_of_life_fails(make):
    """It had renewed the lease of what nobody had begun, for ever."""
    place = make(APFLOW_HEARTBEAT_S="0.05")
    place.engine()
    worker = place.worker({"worker.renew": "raise@1"})
    assert place.run_ended(place.begin(place.task("a", s=0.5)), 40) == "completed"
    assert "failpoint worker.renew" in place.log(worker.name)
    place.right(once=["a"])


@pytest.mark.skipif(not POSTGRES, reason="only on PostgreSQL: has worker processes")
def test_what_a_lost_answer_had_picked_up_does_not_wait_for_its_lease(make):
    place = make(APFLOW_LEASE_S="600")
    place.engine()
    worker = place.worker({"worker.pick_up": "commit_then_raise@1"})
    assert place.run_ended(place.begin(place.task("a")), 40) == "completed"
    assert "failpoint worker.pick_up" in place.log(worker.name)
    place.right(once=["a"])


def test_person_who_is_told_that_it_failed(place):
    """Asked again, the second run is refused: the first one was started after all."""
    tasks = [{"id": "root", "name": "root"}, place.task("a")]
    call = place._order(
        "call", call=f"{INSIDE}start", arguments=[tasks], failpoints={"run.start": "commit_then_raise"}
    )  # fmt: skip
    assert place.ended(call) == 1
    assert "failpoint run.start" in place.log("call")
    assert place.count("orchestration_run") == 1
    web = place.web(failpoints={"idempotency.remember": "commit_then_raise@1"})
    tree = place.one("SELECT id FROM orchestration_tree")
    place.running()
    place.run_ended(place.one("SELECT id FROM orchestration_run"))
    first = place.post(web.url, f"trees/{tree}/runs/", {"mode": "all"}, key="k1")
    assert first.status_code == 503
    assert first.headers["Retry-After"]
    again = place.post(web.url, f"trees/{tree}/runs/", {"mode": "all"}, key="k1")
    assert again.status_code == 202, again.text
    assert place.count("orchestration_run") == 2
    assert place.run_ended(again.json()["id"]) == "completed"
    place.right()
