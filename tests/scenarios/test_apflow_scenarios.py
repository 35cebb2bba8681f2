"""The 68 scenarios that every engine of this kind is held to: played here, played elsewhere, or named as waiting."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from orchestration.builders.array import spec_from_array, tree_from_array
from orchestration.domain.errors import AlreadyRunning, Conflict, Invalid
from orchestration.domain.merging import Source, resolve
from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import DependencyResult
from orchestration.models import Attempt, Dependency, Event, Run, Task, Tree
from orchestration.services.runs import run_start
from orchestration.services.transitions import Transitions
from orchestration.services.trees import task_update
from tests.engine.support import EngineThread, ended, registered, statuses
from tests.factories import make_tree, task, task_named
from tests.scenarios.elsewhere import ELSEWHERE, WAITS
from tests.scenarios.executors import EXECUTORS
from tests.scenarios.stage import SCENARIOS, Stage, fails, gives, root, scenario

pytestmark = pytest.mark.django_db(transaction=True)


@scenario(1)
def single_task(stage):
    tree = make_tree(task("cpu", executor="system_info", inputs={"resource": "cpu"}))
    assert stage.run(tree).status == "completed"
    cpu = Task.objects.get(tree=tree)
    assert isinstance(stage.result(tree, "cpu"), dict)
    assert cpu.progress == 1.0
    assert cpu.started_at <= cpu.completed_at


@scenario(2)
def aggregate(stage):
    names = ["cpu", "memory", "disk"]
    children = [task(n, executor="system_info", inputs={"resource": n}, priority=1) for n in names]
    tree = make_tree(root("aggregate_results", after=names, priority=3), *children)
    assert stage.run(tree).completed == 4
    got = stage.result(tree, "root")
    ids = {str(task_named(tree, n).pk): n for n in names}
    assert got["result_count"] == 3
    assert got["results"] == {key: stage.result(tree, n) for key, n in ids.items()}


@scenario(3)
def mixed_shapes(stage):
    children = [task(n, executor="system_info", inputs={"resource": n}) for n in ("all", "cpu")]
    tree = make_tree(root("aggregate_results", after=["all", "cpu"]), *children)
    stage.run(tree)
    results = stage.result(tree, "root")["results"]
    assert results == {str(task_named(tree, n).pk): stage.result(tree, n) for n in ("all", "cpu")}


@scenario(4)
def result_reaches_the_next(stage):
    tree = make_tree(root(), gives("a", {"n": 1}), task("b", executor="s_echo", after=["a"]))
    stage.run(tree)
    assert stage.result(tree, "b") == {"n": 1}
    assert task_named(tree, "a").completed_at <= task_named(tree, "b").started_at


@scenario(5)
def declared_inputs_stay(stage):
    source = Source(DependencyResult("a", "A", True, "completed", {"url": "u", "data": 1}))
    assert resolve({"existing": "value"}, {}, [source], merges=True)[0] == {"existing": "value", "url": "u", "data": 1}


@scenario(6)
def missing_reference(stage):
    with pytest.raises(Invalid, match="nowhere"):
        make_tree(root(), task("b", after=["nowhere"]))
    assert not Tree.objects.exists()


@scenario(7)
def status_of_the_run(stage):
    assert stage.run(make_tree(root(), task("a"), fails("b"))).status == "failed"
    assert stage.run(make_tree(root(), task("a"), task("b"))).status == "completed"


@scenario(8)
def progress_of_what_completed(stage):
    tree = make_tree(root(), task("a"), task("b"))
    stage.run(tree)
    assert set(Task.objects.filter(tree=tree).values_list("progress", flat=True)) == {1.0}


@scenario(9)
def six_kinds_of_failure(stage):
    kinds = ["ValueError", "KeyError", "ExecutorError", "RuntimeError", "TimeoutError", "ConnectionError"]
    tree = make_tree(root(), *(task(k, executor="s_raise", inputs={"kind": k}) for k in kinds))
    assert stage.run(tree).failed == 6
    for kind in kinds:
        failed = task_named(tree, kind)
        assert failed.status == "failed"
        assert f"message of {kind}" in failed.error
        assert failed.completed_at is not None


@scenario(10)
def mended_and_run_again(stage):
    tree = make_tree(fails("a"))
    stage.run(tree)
    a = Task.objects.get(tree=tree)
    changes = {"inputs": {"duration_s": 0, "result": "good"}}
    task_update(user=stage.user, task_id=a.pk, version=a.version, changes=changes)
    assert stage.run(tree, mode="failed").status == "completed"
    a.refresh_from_db()
    assert (a.error, stage.result(tree, "a")) == (None, "good")


@scenario(11)
def only_the_failed_root_runs_again(stage):
    inputs = {"duration_s": 0, "fail": "no"}
    tree = make_tree(task("root", executor="simulate", inputs=inputs, after=["c"]), gives("c", 1))
    stage.run(tree)
    top = task_named(tree, "root")
    task_update(user=stage.user, task_id=top.pk, version=top.version, changes={"inputs": {"duration_s": 0}})
    stage.run(tree, mode="failed")
    assert (task_named(tree, "root").status, task_named(tree, "root").error) == ("completed", None)
    assert task_named(tree, "c").attempt == 1


@scenario(12)
def a_first_run_retries_nothing(stage):
    run = stage.run(make_tree(root(), task("a"), task("b", after=["a"])), mode="failed")
    assert (run.status, run.completed, run.retry_of) == ("completed", 3, None)


@scenario(13)
def nothing_to_do(stage):
    tree = make_tree(gives("a", 1))
    stage.run(tree)
    with pytest.raises(Conflict, match="nothing would run"):
        run_start(user=stage.user, tree_id=tree.pk, mode="failed")
    assert (task_named(tree, "a").status, stage.result(tree, "a")) == ("completed", 1)


@scenario(15)
def two_trees_at_once(stage):
    runs = [run_start(user=stage.user, tree_id=make_tree(task(n)).pk) for n in "ab"]
    with EngineThread(stage.directory):
        assert [ended(run).status for run in runs] == ["completed", "completed"]


@scenario(16)
def nothing_is_left_running(stage):
    stage.run(make_tree(root(), task("a"), fails("b")))
    assert not Run.objects.filter(status="in_progress").exists()
    assert not Attempt.objects.filter(status="in_progress").exists()


@scenario(23)
def arrays(stage):
    tree = tree_from_array(
        owner=stage.user,
        data=[
            {"name": "r"},
            {"name": "a", "parent_id": "r", "executor": "noop"},
            {"id": "x", "name": "b", "parent_id": "a", "executor": "noop", "dependencies": ["a"]},
        ],
    )
    assert task_named(tree, "b").parent == task_named(tree, "a")
    assert Dependency.objects.get(task__tree=tree).depends_on == task_named(tree, "a")


@scenario(25)
def dependency_given_twice(stage):
    data = [{"name": "r"}, {"id": "1", "name": "a", "parent_id": "r"}]
    data.append({"name": "b", "parent_id": "r", "dependencies": [{"id": "1"}, {"name": "a"}, "a"]})
    assert len(spec_from_array(data).tasks[2].dependencies) == 1


@scenario(27)
def diamonds(stage):
    tree = make_tree(
        root(), task("a"), task("b", after=["a"]), task("c", after=["a"]), task("d", after=["b", "c"]),
        task("e", after=["d"]), task("f", after=["d"]), task("g", after=["e", "f"]),
    )  # fmt: skip
    assert stage.run(tree).completed == 8


@scenario(37)
def a_free_slot_takes_the_best(stage):
    def work(name, seconds, priority):
        return task(name, executor="simulate", inputs={"duration_s": seconds, "steps": 1}, priority=priority)

    top = root("noop", after=["short", "long", "low"])
    tree = make_tree(top, work("short", 0.05, 1), work("long", 0.3, 1), work("low", 0, 3))
    stage.run(tree, slots=2)
    at = {t.name: t for t in Task.objects.filter(tree=tree)}
    assert at["long"].started_at < at["short"].completed_at <= at["low"].started_at < at["long"].completed_at
    assert at["root"].started_at >= max(at[n].completed_at for n in ("short", "long", "low"))


@scenario(38)
def dependents_run_together(stage):
    wait = {"executor": "simulate", "inputs": {"duration_s": 0.2, "steps": 1}}
    tree = make_tree(root(), task("a", **wait), *(task(n, after=["a"], **wait) for n in "bcd"))
    stage.run(tree)
    three = Task.objects.filter(tree=tree, name__in="bcd")
    assert max(t.started_at for t in three) < min(t.completed_at for t in three)


@scenario(41)
def blocked_with_its_cause(stage):
    tree = make_tree(root("noop", after=["e3"]), fails("e1"), task("e2", after=["e1"]), task("e3", after=["e2"]))
    run = stage.run(tree)
    assert (run.status, run.failed, run.blocked) == ("failed", 1, 3)
    assert task_named(tree, "e2").blocked_by == task_named(tree, "e1")
    assert statuses(tree) == {"e1": "failed", "e2": "pending", "e3": "pending"}


@scenario(42)
def null_is_a_result(stage):
    tree = make_tree(root(), gives("h1", None), task("h2", executor="s_knows", after=["h1"]))
    assert stage.run(tree).status == "completed"
    assert stage.result(tree, "h2") == [["h1", "completed", None]]


@scenario(43)
def what_counts_as_an_error(stage):
    tree = make_tree(root(), gives("fine", {"error": None, "ok": 1}), gives("bad", {"error": "x"}))
    stage.run(tree)
    assert statuses(tree) == {"fine": "completed", "bad": "failed"}
    assert task_named(tree, "bad").error == "x"


@scenario(50)
def run_failed(stage):
    tree = make_tree(root(), task("m1"), fails("m2"), task("m3", after=["m1", "m2"]))
    stage.run(tree)
    m2 = task_named(tree, "m2")
    task_update(user=stage.user, task_id=m2.pk, version=m2.version, changes={"inputs": {"duration_s": 0}})
    assert stage.run(tree, mode="failed").status == "completed"
    assert [task_named(tree, n).attempt for n in ("m1", "m2", "m3")] == [1, 2, 1]


@scenario(55)
def claimed_once(stage):
    tree = make_tree(fails("a"))
    stage.run(tree)
    run_start(user=stage.user, tree_id=tree.pk, mode="failed")
    engine = Transitions("w", lease_s=15, recovery_limit=3)
    assert [w.name for w in engine.apply([], Slots(9, 9)).works] == ["a"]
    assert engine.apply([], Slots(9, 9)).works == []
    a = task_named(tree, "a")
    assert (a.status, a.attempt, a.error) == ("in_progress", 2, None)


@scenario(58)
def edits(stage):
    tree = make_tree(root(), gives("a", 1))
    stage.run(tree)
    a = task_named(tree, "a")
    changes = {"name": "z", "inputs": {"duration_s": 0}, "priority": 0, "params": {}}
    assert task_update(user=stage.user, task_id=a.pk, version=a.version, changes=changes).name == "z"
    run_start(user=stage.user, tree_id=tree.pk)
    with pytest.raises(AlreadyRunning):
        task_update(user=stage.user, task_id=a.pk, version=a.version + 1, changes={"name": "y"})


@pytest.mark.parametrize("number", sorted(SCENARIOS))
def test_scenario(number, tmp_path):
    with registered(*EXECUTORS):
        SCENARIOS[number](Stage(tmp_path))
    assert not Event.objects.filter(kind="late_result").exists()


def test_every_scenario_is_played_or_accounted_for():
    counted = [*SCENARIOS, *ELSEWHERE, *WAITS]
    assert sorted(counted) == list(range(1, 69)), "each number once"


@pytest.mark.parametrize("number", sorted(ELSEWHERE))
def test_what_is_played_elsewhere_is_there(number):
    path, name = ELSEWHERE[number].split("::")
    assert name in (Path(settings.BASE_DIR) / path).read_text()
