from __future__ import annotations

import contextlib
import threading

import pytest

from orchestration.domain.errors import AlreadyFinished, AlreadyRunning, NotFound
from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import Ending, Outcome
from orchestration.executors.base import Executor
from orchestration.models import Attempt, Event, Task
from orchestration.services.runs import run_cancel, run_start, task_cancel
from orchestration.services.transitions import Transitions
from tests.engine.support import (
    DEADLINE_S,
    EngineThread,
    Unstoppable,
    ended,
    kinds,
    registered,
    status_of,
    statuses,
    until,
)
from tests.factories import make_tree, make_user, task, task_named
from tests.support_fold import verify

pytestmark = pytest.mark.django_db(transaction=True)

ENDLESS = {"executor": "simulate", "inputs": {"duration_s": 600}}


class Knows(Executor):
    """Gives back what it was told about its dependencies."""

    id = "e_knows"
    name = "Knows"
    isolated = False

    async def run(self, ctx):
        return [[d.name, d.status, d.error] for d in ctx.dependencies]


class Hog(Executor):
    """Keeps the whole loop busy until its gate opens."""

    id = "e_hog"
    name = "Hog"
    isolated = False
    gate = threading.Event()

    async def run(self, ctx):
        self.gate.wait(DEADLINE_S)


@pytest.fixture
def user():
    return make_user()


def group(name="root"):
    return task(name, executor="")


def running(tree, *names):
    until(lambda: all(status_of(tree, n) == "in_progress" for n in names), f"the start of {names}")


def test_a_running_task_is_stopped_with_the_reason_and_its_dependents_hear_of_it(tmp_path, user):
    with registered(Knows), EngineThread(tmp_path):
        tree = make_tree(
            group(),
            task("j1", **ENDLESS),
            task("j2", after=["j1"]),
            task("j3", executor="e_knows", optional=["j1"]),
            task("child", parent="j1", **ENDLESS),
        )
        run = run_start(user=user, tree_id=tree.pk)
        running(tree, "j1", "child")
        task_cancel(user=user, task_id=task_named(tree, "j1").pk, reason="wrong data")
        until(lambda: status_of(tree, "j3") == "completed", "the optional dependent's turn")
        assert status_of(tree, "child") == "in_progress", "only this task was cancelled"
        run_cancel(user=user, run_id=run.pk)
        assert ended(run).status == "cancelled"
    text = "Cancelled by ann: wrong data"
    assert task_named(tree, "j1").error == text
    assert Attempt.objects.get(task__name="j3").result == [["j1", "cancelled", text]]
    assert statuses(tree) == {"j1": "cancelled", "j2": "cancelled", "j3": "completed", "child": "cancelled"}
    assert ("task_blocked", "j2") in kinds(run)
    verify(run.pk)


def test_cancel_with_the_subtree_takes_what_is_under_it_and_nothing_else(tmp_path, user):
    tree = make_tree(
        group(),
        task("a", **ENDLESS),
        task("a1", parent="a", **ENDLESS),
        task("a2", parent="a1", after=["b"]),
        task("b", **ENDLESS),
    )
    with EngineThread(tmp_path):
        run = run_start(user=user, tree_id=tree.pk)
        running(tree, "a", "a1", "b")
        task_cancel(user=user, task_id=task_named(tree, "a").pk, subtree=True)
        until(lambda: status_of(tree, "a") == status_of(tree, "a1") == "cancelled", "the stop")
        assert statuses(tree) == {"a": "cancelled", "a1": "cancelled", "a2": "cancelled", "b": "in_progress"}
        run_cancel(user=user, run_id=run.pk)
        assert ended(run).status == "cancelled"
    verify(run.pk)


def test_nothing_is_executed_again_before_the_stop_is_confirmed(user):
    tree = make_tree(group(), task("j", **ENDLESS))
    run = run_start(user=user, tree_id=tree.pk)
    engine = Transitions("test", lease_s=60, recovery_limit=1)
    (work,) = engine.apply([], Slots(9, 9)).works
    run_cancel(user=user, run_id=run.pk)
    assert engine.apply([], Slots(9, 9)).stops
    with pytest.raises(AlreadyRunning):
        run_start(user=user, tree_id=tree.pk)
    engine.apply([Outcome(work.run_id, work.task_id, work.attempt, Ending.CANCELLED)], Slots(9, 9))
    assert status_of(tree, "j") == "cancelled"
    assert run_start(user=user, tree_id=tree.pk).number == 2


@pytest.mark.fault
def test_after_the_cancel_of_a_run_nothing_of_it_starts(tmp_path, user):
    waiting = [task(f"w{n}", priority=0) for n in range(50)]
    tree = make_tree(group(), task("now", **ENDLESS, priority=0), *waiting, task("later", after=["now"]))
    with EngineThread(tmp_path, async_slots=1):
        run = run_start(user=user, tree_id=tree.pk)
        running(tree, "now")
        run_cancel(user=user, run_id=run.pk, reason="stop")
        assert not Task.objects.filter(run=run, status="pending").exists()
        assert ended(run).status == "cancelled"
    assert (run.reason, run.cancelled_by, run.cancelled, run.completed) == ("stop", user, 52, 1)
    told = [kind for kind, _ in kinds(run)]
    assert "task_started" not in told[told.index("run_cancelling") :]
    verify(run.pk)


def test_what_cannot_be_stopped_is_cancelled_at_once_and_its_late_result_is_logged(tmp_path, user):
    Unstoppable.gate.clear()
    with registered(Unstoppable), EngineThread(tmp_path):
        tree = make_tree(group(), task("u", executor="e_unstoppable"), task("next", after=["u"]))
        run = run_start(user=user, tree_id=tree.pk)
        running(tree, "u")
        assert task_cancel(user=user, task_id=task_named(tree, "u").pk, reason="enough").status == "cancelled"
        assert ended(run).status == "failed"
        Unstoppable.gate.set()
        until(lambda: Event.objects.filter(run=run, kind="late_result").exists(), "the late result")
    u = task_named(tree, "u")
    assert (u.status, u.error) == ("cancelled", "Cancelled by ann: enough")
    assert Attempt.objects.get(task=u).result is None
    verify(run.pk)


def test_a_task_cancelled_before_its_first_step_is_cancelled_too(tmp_path, user):
    """The loop is busy while the start and the stop are both decided: they reach it at the same moment."""
    Hog.gate.clear()
    with registered(Hog), EngineThread(tmp_path):
        busy = run_start(user=user, tree_id=make_tree(task("hog", executor="e_hog")).pk)
        until(lambda: Task.objects.filter(name="hog", status="in_progress").exists(), "the start of the hog")
        tree = make_tree(task("quick", **ENDLESS))
        run = run_start(user=user, tree_id=tree.pk)
        running(tree, "quick")
        task_cancel(user=user, task_id=task_named(tree, "quick").pk)
        marker = run_start(user=user, tree_id=make_tree(group("marker")).pk)
        ended(marker)  # what was committed before is on its way to the loop
        Hog.gate.set()
        assert ended(run).status == "failed"
        ended(busy)
    assert task_named(tree, "quick").status == "cancelled"
    verify(run.pk)


def test_a_pending_task_is_cancelled_at_once_without_any_engine(user):
    tree = make_tree(group(), task("a"), task("b", after=["a"]))
    run = run_start(user=user, tree_id=tree.pk)
    assert task_cancel(user=user, task_id=task_named(tree, "a").pk, reason="no").status == "cancelled"
    assert task_named(tree, "b").blocked_by == task_named(tree, "a")
    run.refresh_from_db()
    assert run.status == "failed"
    verify(run.pk)


def test_a_pending_group_is_cancelled_and_not_completed(user):
    tree = make_tree(group(), group("g"))
    run = run_start(user=user, tree_id=tree.pk)
    assert task_cancel(user=user, task_id=task_named(tree, "g").pk).status == "cancelled"
    verify(run.pk)
    other = run_start(user=user, tree_id=make_tree(group("alone")).pk)
    assert run_cancel(user=user, run_id=other.pk).status == "cancelled"
    assert [kind for kind, _ in kinds(other)] == ["run_started", "run_cancelling", "task_cancelled", "run_cancelled"]
    verify(other.pk)


def test_what_has_ended_cannot_be_cancelled_and_the_answer_names_its_state(tmp_path, user):
    tree = make_tree(group(), task("a"))
    with EngineThread(tmp_path):
        run = ended(run_start(user=user, tree_id=tree.pk))
    with pytest.raises(AlreadyFinished, match="completed") as refused:
        task_cancel(user=user, task_id=task_named(tree, "a").pk)
    assert (refused.value.code, refused.value.status) == ("already_finished", 409)
    with pytest.raises(AlreadyFinished, match="completed"):
        run_cancel(user=user, run_id=run.pk)
    with pytest.raises(NotFound):
        task_cancel(user=user, task_id="00000000-0000-0000-0000-000000000000")
    assert status_of(tree, "a") == "completed"


@pytest.mark.fault
def test_cancelling_twice_is_one_cancel(tmp_path, user):
    tree = make_tree(group(), task("a", **ENDLESS))
    with EngineThread(tmp_path):
        run = run_start(user=user, tree_id=tree.pk)
        running(tree, "a")
        run_cancel(user=user, run_id=run.pk, reason="first")
        with contextlib.suppress(AlreadyFinished):  # if the first was quick
            run_cancel(user=user, run_id=run.pk, reason="second")
        ended(run)
    assert (run.reason, task_named(tree, "a").error) == ("first", "Cancelled by ann: first")
    verify(run.pk)
