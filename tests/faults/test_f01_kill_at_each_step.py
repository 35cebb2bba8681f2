"""F1: kill -9 before, in and after each step. The next process goes on; nothing is lost, half written or done twice."""

from __future__ import annotations

import ast
import signal

import pytest

from orchestration.failpoints import NAMES
from tests.faults import scenarios
from tests.faults.support import INSIDE
from tests.settings import POSTGRES
from tests.support_processes import ROOT
from tests.webhooks.support import receiving

pytestmark = [pytest.mark.fault, pytest.mark.slow]

on_postgresql = pytest.mark.skipif(not POSTGRES, reason="only on PostgreSQL: has worker processes")


def died(place, child, point=""):
    assert place.ended(child, 60) == -signal.SIGKILL, f"{child.name} did not get to {point}: {place.log(child.name)}"


def test_every_failpoint_has_a_scenario():
    passed = set()
    for path in (ROOT / "orchestration").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "failpoint":
                assert isinstance(node.args[0], ast.Constant), f"{path}: write the name there"
                passed.add(node.args[0].value)
    assert passed == NAMES
    assert scenarios.ALL == NAMES


def test_engine(place):
    """Each dies at another step, in the middle of the work that the one before has left."""
    runs = []
    for point, when in scenarios.ENGINE.items():
        runs.append(place.small())
        died(place, place.running({point: f"kill{when}"}), point)
    place.running()
    for run in runs:
        assert place.run_ended(run) == "completed"
    place.right()
    lost = place.all("SELECT error_code FROM orchestration_attempt WHERE status = 'failed'")
    assert {code for (code,) in lost} == {"engine_lost"}


@pytest.mark.parametrize("point", sorted(scenarios.STOPPING))
def test_engine_that_stops(place, point):
    run = place.small(hold=True)
    engine = place.running({point: "kill"})
    place.begun("a")
    engine.signal(signal.SIGTERM)
    died(place, engine)
    place.go()
    place.running()
    assert place.run_ended(run) == "completed"
    place.right()


@on_postgresql
def test_engine_that_hands_out(place):
    worker = place.worker()
    runs = []
    for point, when in scenarios.HANDING_OUT.items():
        runs.append(place.small())
        died(place, place.engine(failpoints={point: f"kill{when}"}), point)
    place.engine()
    for run in runs:
        assert place.run_ended(run) == "completed"
    place.right()
    assert worker.code is None


@on_postgresql
def test_worker(place):
    place.engine()
    runs = []
    for point, when in scenarios.WORKER.items():
        runs.append(place.small(s=0.5))
        died(place, place.worker({point: f"kill{when}"}), point)
    place.worker()
    for run in runs:
        assert place.run_ended(run) == "completed"
    place.right()


@on_postgresql
def test_worker_that_stops(place):
    place.engine()
    run = place.small(hold=True)
    worker = place.worker({"worker.stop": "kill"})
    place.begun("a")
    worker.signal(signal.SIGTERM)
    died(place, worker)
    place.go()
    place.worker()
    assert place.run_ended(run) == "completed"
    place.right()


@pytest.mark.parametrize("point", ["tree.create", "run.start"])
def test_person_who_starts(place, point):
    tasks = [{"id": "root", "name": "root"}, place.task("a")]
    dying = place._order("call", call=f"{INSIDE}start", arguments=[tasks], failpoints={point: "kill"})
    died(place, dying)
    for table in ("run", "event", *(["tree", "task"] if point == "tree.create" else [])):
        assert place.count(f"orchestration_{table}") == 0
    run = place.begin(*tasks[1:])
    place.running()
    assert place.run_ended(run) == "completed"
    place.right(once=["a"])


def test_bulk(place):
    """A process dies between the items of an operation and the note of how far it is: the next one goes on."""
    trees = [place.begin(place.task("a")) for _ in range(3)]
    place.running()
    for run in trees:
        place.run_ended(run)
    tree_ids = [pk for (pk,) in place.all("SELECT id FROM orchestration_tree")]
    call = "tests.faults.inside:run_all"
    died(place, place._order("call", call=call, arguments=[tree_ids], failpoints={"bulk.step": "kill"}), "bulk.step")
    assert place.count("orchestration_run") == 3, "nothing of it is there"
    with place.rows() as rows:  # half a minute later
        rows.execute("UPDATE orchestration_bulkoperation SET heartbeat_at = NULL")
    assert place.call(call, []) == 1, "it is taken up again"
    assert place.count("orchestration_bulkoperation WHERE state = 'done'") == 1
    place.wait(lambda: not place.count("orchestration_run WHERE status = 'in_progress'"), "the end of the runs")
    assert place.all("SELECT run_count FROM orchestration_tree") == [(2,)] * 3
    place.right()


def test_webhooks(make):
    """Whatever was told or sent when the engine died is told again, under the same id; nothing is left out."""
    with receiving() as receiver:
        place = make(
            APFLOW_HTTP_ALLOW=f"127.0.0.1:{receiver.port}", APFLOW_HTTP_PORTS=str(receiver.port),
            APFLOW_WEBHOOK_TIMEOUT_S="1",
        )  # fmt: skip
        web = place.web()
        made = place.post(web.url, "webhooks/", {"url": receiver.url, "events": ["run.completed"]})
        assert made.status_code == 201, made.text
        runs = []
        for point in sorted(scenarios.WEBHOOK):
            runs.append(place.begin(place.task(f"t{len(runs)}")))
            died(place, place.running({point: "kill"}), point)
        place.running()
        for run in runs:
            assert place.run_ended(run) == "completed"
        place.wait(lambda: {got.content["run"]["id"] for got in receiver.got} == set(runs), "every delivery", 60)
        open_ones = "orchestration_webhookdelivery WHERE state = 'pending'"
        place.wait(lambda: not place.count(open_ones), "that every delivery is known to have come", 60)
        ids = {(got.content["run"]["id"], got.content["id"]) for got in receiver.got}
        assert len(ids) == len(runs)
    place.right()


@pytest.mark.parametrize("point", ["run.cancel", "task.cancel"])
def test_person_who_cancels(place, point):
    place.running()
    run = place.begin(place.task("a", hold=True), place.task("b", after=["a"]))
    place.begun("a")
    seq = place.one("SELECT seq FROM orchestration_run")
    call, arguments = (f"{INSIDE}cancel", [run]) if point == "run.cancel" else (f"{INSIDE}cancel_task", [run, "a"])
    died(place, place._order("call", call=call, arguments=arguments, failpoints={point: "kill"}))
    assert place.one("SELECT seq FROM orchestration_run") == seq, "nothing of it is there"
    place.call(call, *arguments)
    assert place.run_ended(run) in {"cancelled", "failed"}
    place.right()
    assert place.marks()["b"] == 0, "no start after the cancel"
