"""Two of everything at the same moment, many times: one winner, and rows and events agree."""

from __future__ import annotations

import os
import threading
from functools import partial

import pytest
from django.db import connections

from orchestration.domain.errors import AlreadyFinished, AlreadyRunning
from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import Ending, Outcome
from orchestration.models import Event, Run, Task
from orchestration.services.runs import run_cancel, run_start, task_cancel
from orchestration.services.transitions import Transitions
from tests.factories import make_tree, make_user, task
from tests.support_fold import verify

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "60"))  # on each database


def race(*functions):
    """What each of *functions* returned or raised, all called at the same moment in threads of their own."""
    barrier = threading.Barrier(len(functions))
    answers = [None] * len(functions)

    def call(place, function):
        try:
            barrier.wait(60)
            answers[place] = function()
        except Exception as error:  # noqa: BLE001  the answer is judged by the test
            answers[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=call, args=item) for item in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive()
    return answers


def new_engine():
    return Transitions("w", lease_s=15, recovery_limit=3)


def one_task():
    user = make_user()
    tree = make_tree(task("only", executor="simulate"))
    return user, tree, Task.objects.get(tree=tree)


def completed(work):
    return [Outcome(work.run_id, work.task_id, work.attempt, Ending.COMPLETED, result="1")]


def against_completion(cancel, engine, only, run, *, late_s):
    """What *cancel* answers while the run's only task is reported as completed, and the kinds of the run's events."""
    (work,) = engine.apply([], Slots(0, 1)).works

    def late():
        threading.Event().wait(late_s)  # on some databases and machines the engine would always be the first
        return engine.apply(completed(work), Slots())

    answer, report = race(cancel, late)
    assert not isinstance(report, Exception), report
    only.refresh_from_db()
    run.refresh_from_db()
    return answer, list(Event.objects.filter(run=run).order_by("seq").values_list("kind", flat=True))


@pytest.mark.fault
def test_cancel_against_complete_has_one_winner():
    user, tree, only = one_task()
    engine = new_engine()
    winners = set()
    for number in range(ROUNDS):
        run = run_start(user=user, tree_id=tree.pk)
        verb = partial(task_cancel, user=user, task_id=only.pk, reason="no")
        cancel, kinds = against_completion(verb, engine, only, run, late_s=0.003 * (number % 5))
        if isinstance(cancel, Exception):
            assert isinstance(cancel, AlreadyFinished)
            assert (only.status, only.error, run.status) == ("completed", None, "completed")
            assert "task_stopping" not in kinds
        else:
            assert (only.status, only.error, run.status) == ("cancelled", "Cancelled by ann: no", "failed")
            assert "late_result" in kinds
        winners.add(only.status)
        verify(run.pk)
    assert winners == {"completed", "cancelled"}, "the race was never close"


@pytest.mark.fault
def test_cancel_against_claim_leaves_no_attempt_behind():
    user, tree, only = one_task()
    engine = new_engine()
    for number in range(ROUNDS):
        run = run_start(user=user, tree_id=tree.pk)
        cancel, claim = race(
            lambda run=run: run_cancel(user=user, run_id=run.pk),
            lambda: engine.apply([], Slots(0, 1)),
        )
        assert not isinstance(cancel, Exception), cancel
        assert not isinstance(claim, Exception), claim
        stopped = engine.apply([], Slots(0, 1))
        assert not stopped.works, "started after its cancel"
        for work in claim.works:
            assert work.key in stopped.stops, "nobody tells the attempt to stop"
            engine.apply([Outcome(work.run_id, work.task_id, work.attempt, Ending.CANCELLED)], Slots(0, 1))
        only.refresh_from_db()
        run.refresh_from_db()
        assert (only.status, run.status) == ("cancelled", "cancelled"), number
        verify(run.pk)


@pytest.mark.fault
def test_cancel_of_the_run_against_its_last_completion_has_one_winner():
    user, tree, only = one_task()
    engine = new_engine()
    winners = set()
    for number in range(ROUNDS):
        run = run_start(user=user, tree_id=tree.pk)
        verb = partial(run_cancel, user=user, run_id=run.pk)
        cancel, kinds = against_completion(verb, engine, only, run, late_s=0.003 * (number % 5))
        if isinstance(cancel, Exception):
            assert isinstance(cancel, AlreadyFinished)
            assert (only.status, run.status, run.cancel_requested_at) == ("completed", "completed", None)
            assert "run_cancelling" not in kinds
        else:
            assert (only.status, run.status) == ("cancelled", "cancelled")
            assert kinds.count("run_cancelling") == kinds.count("late_result") == 1
            assert "task_completed" not in kinds
        winners.add(run.status)
        verify(run.pk)
    assert winners == {"completed", "cancelled"}, "the race was never close"


@pytest.mark.fault
def test_two_cancels_at_once_are_one_cancel():
    user, tree, _only = one_task()
    engine = new_engine()
    for _ in range(ROUNDS):
        run = run_start(user=user, tree_id=tree.pk)
        (work,) = engine.apply([], Slots(0, 1)).works
        answers = race(*[lambda run=run: run_cancel(user=user, run_id=run.pk, reason="twice")] * 2)
        assert [answer.status for answer in answers] == ["in_progress"] * 2, answers
        assert engine.apply([], Slots()).stops == [work.key]
        engine.apply([Outcome(work.run_id, work.task_id, work.attempt, Ending.CANCELLED)], Slots())
        run.refresh_from_db()
        assert run.status == "cancelled"
        kinds = list(Event.objects.filter(run=run).values_list("kind", flat=True))
        assert [kinds.count(kind) for kind in ("run_cancelling", "task_stopping", "task_cancelled")] == [1, 1, 1]
        verify(run.pk)


def test_of_two_starts_at_once_one_is_refused_and_names_the_other():
    user, tree, _only = one_task()
    engine = new_engine()
    for number in range(1, ROUNDS + 1):
        answers = race(*[lambda: run_start(user=user, tree_id=tree.pk)] * 2)
        (run,) = [a for a in answers if isinstance(a, Run)]
        (refused,) = [a for a in answers if isinstance(a, AlreadyRunning)]
        assert (refused.run_id, run.number) == (run.pk, number)
        (work,) = engine.apply([], Slots(0, 1)).works
        engine.apply(completed(work), Slots())
        verify(run.pk)
    assert Run.objects.count() == ROUNDS


@pytest.mark.fault
def test_a_meeting_point_of_two_starts_once():
    user = make_user()
    tree = make_tree(task("root", executor=""), task("a"), task("b"), task("d", after=["a", "b"], executor="simulate"))
    one = new_engine()
    for _ in range(ROUNDS):
        run = run_start(user=user, tree_id=tree.pk)
        works = one.apply([], Slots(0, 2)).works
        assert len(works) == 2
        (last,) = one.apply([o for w in works for o in completed(w)], Slots(0, 2)).works
        assert last.name == "d"
        assert {d.result for d in last.dependencies} == {1}
        assert one.apply(completed(last), Slots(0, 2)).ended == [(run.pk, "completed")]
        assert Event.objects.filter(run=run, kind="task_started", task__name="d").count() == 1
    verify(run.pk)
