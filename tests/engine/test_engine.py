from __future__ import annotations

import asyncio
import threading

import pytest

from orchestration.engine import writer
from orchestration.engine.embedded import EngineHeld
from orchestration.executors.base import Executor
from orchestration.models import Attempt, Event, Task
from orchestration.services.runs import run_cancel, run_start
from tests.engine.support import EngineThread, ended, kinds, registered, status_of, statuses, until
from tests.factories import make_tree, make_user, task, task_named
from tests.support_faults import unstorable_attempts
from tests.support_fold import verify
from tests.support_locks import impatient, no_writes

pytestmark = pytest.mark.django_db(transaction=True)


class Knows(Executor):
    """Gives back what it was told about its dependencies."""

    id = "e_knows"
    name = "Knows"
    isolated = False

    async def run(self, ctx):
        return [[d.name, d.status, d.result, d.error] for d in ctx.dependencies]


class Meet(Executor):
    """Ends once three attempts run at the same time."""

    id = "e_meet"
    name = "Meet"
    isolated = False
    present: set[str] = set()

    async def run(self, ctx):
        self.present.add(ctx.task_name)
        while len(self.present) < 3:
            await asyncio.sleep(0)
        return "met"


@pytest.fixture
def start(tmp_path):
    user = make_user()

    def start(tree, **options):
        return run_start(user=user, tree_id=tree.pk, **options)

    return start


def group(name="root"):
    return task(name, executor="")


def test_one_slot_takes_the_most_urgent_first_over_all_runs(tmp_path, start):
    trees = [
        make_tree(group(), task("p3", priority=3), task("p1", priority=1)),
        make_tree(group(), task("p2", priority=2), task("p0", priority=0)),
    ]
    runs = [start(tree) for tree in trees]
    with EngineThread(tmp_path, async_slots=1):
        assert [ended(run).status for run in runs] == ["completed", "completed"]
    began = Attempt.objects.filter(executor="noop").order_by("started_at", "id")
    assert list(began.values_list("task__name", flat=True)) == ["p0", "p1", "p2", "p3"]
    for run in runs:
        verify(run.pk)


def test_an_optional_dependent_waits_and_runs_after_the_failure_knowing_it(tmp_path, start):
    with registered(Knows), EngineThread(tmp_path):
        tree = make_tree(
            group(),
            task("first", executor="simulate", inputs={"duration_s": 0.1, "steps": 1, "fail": "no luck"}),
            task("then", executor="e_knows", optional=["first"]),
        )
        run = ended(start(tree))
    assert run.status == "completed", "the failure is handled: only optional dependents"
    then = task_named(tree, "then")
    assert Attempt.objects.get(task=then).result == [["first", "failed", None, "no luck"]]
    assert kinds(run, "task_failed", "task_started") == [
        ("task_started", "first"),
        ("task_failed", "first"),
        ("task_started", "then"),
    ]
    verify(run.pk)


def test_a_required_dependent_is_blocked_and_says_by_whom(tmp_path, start):
    tree = make_tree(
        group(),
        task("bad", executor="simulate", inputs={"duration_s": 0, "fail": "no"}),
        task("next", after=["bad"]),
        task("last", after=["next"]),
    )
    with EngineThread(tmp_path):
        run = ended(start(tree))
    assert run.status == "failed"
    assert (run.failed, run.blocked, run.completed) == (1, 2, 1)
    assert task_named(tree, "next").blocked_by == task_named(tree, "bad")
    assert task_named(tree, "last").blocked_by == task_named(tree, "next")
    assert statuses(tree) == {"bad": "failed", "next": "pending", "last": "pending"}
    verify(run.pk)


def test_three_dependents_of_one_task_run_at_the_same_time(tmp_path, start):
    Meet.present.clear()
    with registered(Meet), EngineThread(tmp_path):
        names = ["b", "c", "d"]
        tree = make_tree(group(), task("a"), *(task(n, executor="e_meet", after=["a"]) for n in names))
        assert ended(start(tree)).status == "completed"


def test_a_retry_waits_without_a_slot_and_its_run_can_be_cancelled_meanwhile(tmp_path, start):
    tree = make_tree(
        group(),
        task(
            "again",
            executor="simulate",
            priority=0,
            inputs={"duration_s": 0, "fail": "not yet"},
            max_attempts=3,
            backoff={"strategy": "fixed", "base_s": 3600},
        ),
        task("other", priority=3),
    )
    with EngineThread(tmp_path, async_slots=1) as thread:
        run = start(tree)
        future = thread.call(thread.engine.ended, run.pk)
        until(lambda: status_of(tree, "other") == "completed", "the other task's turn")
        again = task_named(tree, "again")
        assert (again.status, again.attempt) == ("pending", 1)
        assert again.retry_at is not None
        run_cancel(user=make_user(), run_id=run.pk, reason="no time")
        assert ended(run).status == "cancelled"
        until(future.done, "the news of the end")
        assert future.result() == "cancelled"
    again.refresh_from_db()
    assert (again.status, again.error) == ("cancelled", "Cancelled by ann: no time")
    verify(run.pk)


def test_a_retry_comes_back_by_itself(tmp_path, start):
    inputs = {"duration_s": 0, "fail_attempts": 2}
    backoff = {"strategy": "fixed", "base_s": 0.05}
    tree = make_tree(task("again", executor="simulate", inputs=inputs, max_attempts=3, backoff=backoff))
    with EngineThread(tmp_path, async_slots=1):
        run = ended(start(tree))
    assert run.status == "completed"
    tries = Attempt.objects.order_by("number").values_list("number", "try_number", "status", "error_code")
    assert [(n, t, s) for n, t, s, _ in tries] == [(1, 1, "failed"), (2, 2, "failed"), (3, 3, "completed")]
    verify(run.pk)


def test_a_task_that_takes_too_long_fails_and_says_so(tmp_path, start):
    tree = make_tree(task("slow", executor="simulate", inputs={"duration_s": 600}, timeout_s=0.05))
    with EngineThread(tmp_path):
        assert ended(start(tree)).status == "failed"
    slow = task_named(tree, "slow")
    assert (slow.error, Attempt.objects.get().error_code) == ("timed out after 0.05 s", "timeout")


def test_an_input_that_cannot_be_made_fails_the_task_before_any_work_and_without_retry(tmp_path, start):
    edge = {"name": "a", "required": True, "map": {"duration_s": "seconds.total"}}
    tree = make_tree(group(), task("a"), task("b", executor="simulate", dependencies=[edge], max_attempts=5))
    with EngineThread(tmp_path):
        run = ended(start(tree))
    assert run.status == "failed"
    b = task_named(tree, "b")
    assert "seconds.total" in b.error
    assert b.attempt == 1
    verify(run.pk)


@pytest.mark.fault
def test_a_second_engine_is_refused_and_told_who_has_it(tmp_path):
    with EngineThread(tmp_path), pytest.raises(EngineHeld, match="process"):
        EngineThread(tmp_path).__enter__()
    with EngineThread(tmp_path):
        pass  # free again


def test_a_stopped_engine_gives_back_what_it_ran_and_no_try_is_used(tmp_path, start):
    tree = make_tree(task("slow", executor="simulate", inputs={"duration_s": 600}))
    with EngineThread(tmp_path):
        run = start(tree)
        until(lambda: status_of(tree, "slow") == "in_progress", "the start")
    slow = task_named(tree, "slow")
    assert (slow.status, slow.attempt) == ("pending", 1)
    verify(run.pk)
    Task.objects.update(inputs={"duration_s": 0})
    with EngineThread(tmp_path):
        assert ended(run).status == "completed"
    assert list(Attempt.objects.order_by("number").values_list("try_number", "error_code")) == [
        (1, "released"),
        (1, ""),
    ]
    verify(run.pk)


@pytest.mark.fault
def test_a_locked_database_delays_but_loses_nothing(tmp_path, start, monkeypatch):
    tree = make_tree(group(), *(task(f"t{n}", executor="simulate", inputs={"duration_s": 0.05}) for n in range(20)))
    run = start(tree)
    with impatient(monkeypatch), EngineThread(tmp_path) as thread:
        until(lambda: Attempt.objects.exists(), "a start")
        with no_writes():
            until(lambda: thread.engine.degraded, "that the engine says it cannot write")
        assert ended(run).status == "completed"
        until(lambda: not thread.engine.degraded, "the recovery")
    assert run.completed == 21
    verify(run.pk)


def test_a_report_that_cannot_be_stored_fails_only_its_own_task(tmp_path, start):
    with unstorable_attempts("CAST(NEW.result AS text) LIKE '%poison%'"):
        tasks = [task(f"t{n}", executor="simulate", inputs={"duration_s": 0, "result": f"r{n}"}) for n in range(9)]
        bad = task("bad", executor="simulate", inputs={"duration_s": 0, "result": "poison"}, max_attempts=2)
        tree = make_tree(group(), bad, *tasks)
        with EngineThread(tmp_path, async_slots=20):
            run = ended(start(tree))
    assert (run.status, run.failed, run.completed) == ("failed", 1, 10)
    assert "could not store" in task_named(tree, "bad").error
    verify(run.pk)


def test_a_task_whose_end_cannot_be_stored_at_all_gives_its_slot_back(tmp_path, start, monkeypatch):
    monkeypatch.setattr(writer, "POSTPONE_S", 0.5)
    with unstorable_attempts("CAST(OLD.inputs AS text) LIKE '%poison%'") as end:
        bad = start(make_tree(task("bad", executor="simulate", inputs={"duration_s": 0, "result": "poison"})))
        with EngineThread(tmp_path, async_slots=1):
            until(lambda: Attempt.objects.exists(), "a start")
            good = ended(start(make_tree(group(), task("x"), task("y"))))
            assert good.status == "completed", "others get the only slot"
            end()
            assert ended(bad).status == "failed", "its end is stored as soon as that is possible"
    verify(bad.pk)


def test_no_thread_is_left(tmp_path):
    with EngineThread(tmp_path):
        assert any(thread.name == "apflow-writer" for thread in threading.enumerate())
    assert not any(thread.name == "apflow-writer" for thread in threading.enumerate())
    assert Event.objects.count() == 0


def test_a_run_that_cannot_be_read_does_not_stop_the_others(tmp_path, start, caplog):
    bad, good = start(make_tree(task("bad"))), start(make_tree(task("good")))
    type(bad).objects.filter(pk=bad.pk).update(overrides={"no id": {}})
    with EngineThread(tmp_path) as thread:
        assert ended(good).status == "completed"
        until(lambda: str(bad.pk) in thread.engine.degraded, "that the engine names the run")
        type(bad).objects.filter(pk=bad.pk).update(overrides={})
        assert ended(bad).status == "completed", "it goes on as soon as it can be read"
        until(lambda: not thread.engine.degraded, "the recovery")
    assert sum("cannot be read" in record.message for record in caplog.records) < 20
    verify(bad.pk)
