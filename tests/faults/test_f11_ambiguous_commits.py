"""F11: it was written, and whoever wrote it is told that it may not be. And the plain failure at the same places."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import OperationalError

from orchestration import failpoints
from orchestration.domain.states import Status
from orchestration.models import WebhookDelivery
from orchestration.services.webhook_feed import Feed
from orchestration.services.webhook_sending import Answer, due, record
from tests.dashboard.rows import end_run, start
from tests.factories import make_tree, make_user, task
from tests.faults import scenarios
from tests.faults.support import DEADLINE_S, INSIDE
from tests.settings import POSTGRES
from tests.webhooks.support import allow, hook

pytestmark = [pytest.mark.fault, pytest.mark.slow]

RUNS = 3
SPREAD = (2, 3, 4, 5, 7)  # at different moments, and more than one may happen in one step


@pytest.fixture
def armed():
    yield failpoints.arm
    failpoints.arm({})


def arranged(points, action):
    chosen = sorted(points)
    return {point: f"{action}@{SPREAD[number % len(SPREAD)]}" for number, point in enumerate(chosen)}


def happens(place, name, points):
    """The process *name* comes to each of *points*."""
    for point in points:
        place.wait(lambda point=point: f"failpoint {point}:" in place.log(name), f"{point} in {name}", DEADLINE_S)


@pytest.mark.parametrize("action", ["commit_then_raise", "raise"])
def test_engine(place, action):
    """Each task has had its effect once: what was started by a lost answer is found, and not started again."""
    points = scenarios.ENGINE.keys() - {"engine.recover", "engine.delivered"}
    failing = arranged(points, action) | {"engine.recover": f"{action}@1"}
    runs = [place.small(s=0.1) for _ in range(RUNS)]
    engine = place.running(failing)
    for run in runs:
        assert place.run_ended(run) == "completed"
    happens(place, engine.name, points | {"engine.recover"})
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
    runs.append(place.begin(place.task("long", hold=True)))  # its lease is renewed until all has happened
    happens(place, engine.name, scenarios.HANDING_OUT)
    happens(place, worker.name, scenarios.WORKER)
    place.go()
    for run in runs:
        assert place.run_ended(run) == "completed"
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


def test_whoever_asks_again_with_the_same_key_gets_what_there_is(place):
    """Each action was written, each answer was 503; the second request finds the first one's answer."""
    web = place.web(failpoints=dict.fromkeys(scenarios.PERSON, "commit_then_raise@1"))
    place.running()

    def ask(path, body=None):
        first, again = (place.post(web.url, path, body, key=path.replace("/", ".")) for _ in range(2))
        assert first.status_code == 503, first.text
        assert again.headers["Idempotent-Replayed"] == "true", again.text
        return again.json()

    one = {"name": "a", "executor": "soak_mark", "inputs": {"file": str(place.effects), "hold": True}}
    tree = ask("trees/", {"tasks": [{"name": "r"}, one | {"parent_id": "r"}, one | {"name": "b", "parent_id": "r"}]})
    run = ask(f"trees/{tree['id']}/runs/", {"mode": "all"})
    place.begun("a")
    [[a]] = place.all("SELECT id FROM orchestration_task WHERE name = 'a'")
    ask(f"tasks/{UUID(str(a))}/cancel/")
    ask(f"runs/{run['id']}/cancel/")
    happens(place, web.name, scenarios.PERSON)
    assert place.run_ended(run["id"]) == "cancelled"
    assert (place.count("orchestration_tree"), place.count("orchestration_run")) == (1, 1)
    kinds = place.kinds(run["id"])
    assert (kinds.count("run_started"), kinds.count("run_cancelling"), kinds.count("task_cancelled")) == (1, 1, 2)
    place.right()


def test_bulk(place):
    """Whoever takes it up again does what is left to do, if anything."""
    trees = [place.begin(place.task("a")) for _ in range(2)]
    place.running()
    for run in trees:
        place.run_ended(run)
    tree_ids = [pk for (pk,) in place.all("SELECT id FROM orchestration_tree")]
    call, failing = "tests.faults.inside:run_all", {"bulk.step": "commit_then_raise"}
    dying = place._order("call", call=call, arguments=[tree_ids], failpoints=failing)
    assert place.ended(dying) == 1
    happens(place, "call", failing)
    with place.rows() as rows:  # half a minute later, in case the step did not come to the end
        rows.execute("UPDATE orchestration_bulkoperation SET heartbeat_at = NULL")
    place.call(call, [])
    place.wait(lambda: not place.count("orchestration_run WHERE status = 'in_progress'"), "the end of the runs")
    assert place.all("SELECT run_count FROM orchestration_tree") == [(2,)] * len(trees)
    place.right()


@pytest.mark.django_db(transaction=True)
def test_webhooks(settings, armed):
    """A delivery that was made all the same is not made again, and a try that was noted is not counted again."""
    allow(settings, "127.0.0.1:8000")
    ann = make_user("ann")
    hook(ann, "http://127.0.0.1:8000/hook", events=["run.failed"])
    end_run(start(make_tree(task("t"), owner=ann)), Status.FAILED)
    feed, good = Feed(), Answer(code=200)
    armed({"webhook.tell": "commit_then_raise@1", "webhook.record": "commit_then_raise@1"})
    with pytest.raises(OperationalError, match=r"webhook\.tell"):
        feed.make_deliveries()
    assert feed.make_deliveries() == 0
    [sending] = due(9)
    with pytest.raises(OperationalError, match=r"webhook\.record"):
        record(sending, good)
    record(sending, good)
    assert due(9) == []
    assert list(WebhookDelivery.objects.values_list("state", "attempts")) == [("delivered", 1)]
