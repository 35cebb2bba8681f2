from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.domain.errors import InputError
from orchestration.domain.states import Kind
from orchestration.domain.work import ENGINE_LOST, INVALID_INPUTS, RELEASED, WORKER_LOST, Ending
from tests.domain.support import Play, run_of


def retrying(max_attempts=3, **backoff):
    return {"max_attempts": max_attempts, "backoff": {"strategy": "fixed", "base_s": 10, **backoff}}


def test_retries_wait_for_their_back_off_and_are_counted():
    play = Play(run_of({"a": ""}, a=retrying(2)))
    play.start("a")
    play.report("a", Ending.FAILED)
    a = play.run.tasks["a"]
    assert (a.status, a.tries, play.startable) == ("pending", 1, [])
    assert (a.retry_at - play.now).total_seconds() == 10
    play.run.wake(a, play.now)
    assert a.ready_at is None, "not before its time"
    play.now = a.retry_at
    play.run.wake(a, play.now)
    play.collect()
    play.start("a")
    assert (a.attempt, a.tries) == (2, 2)
    play.report("a", Ending.FAILED)
    assert (a.status, play.run.status) == ("failed", "failed")


def test_what_another_attempt_cannot_mend_is_not_retried():
    play = Play(run_of({"a": ""}, a=retrying(9)))
    play.start("a")
    play.report("a", Ending.FAILED, retryable=False)
    assert play.states == {"a": "failed"}


@pytest.mark.parametrize("ending", list(Ending))
def test_a_report_of_another_attempt_changes_nothing_but_the_log(ending):
    play = Play(run_of({"a": "", "b": "a"}, a=retrying(9)))
    play.start("a")
    play.report("a", Ending.LOST, error_code=ENGINE_LOST)
    play.start("a")
    before = play.states, dict(play.run.counts)
    play.report("a", ending, attempt=1)
    assert (play.states, dict(play.run.counts)) == before
    assert (play.events[-1].kind == Kind.LATE_RESULT) == (ending != Ending.PROGRESS)
    play.report("a")
    play.report("a", ending)
    assert play.states == {"a": "completed", "b": "pending"}, "nor does a second report"


def test_a_lost_attempt_runs_again_at_once_but_not_for_ever():
    play = Play(run_of({"a": ""}))
    for _ in range(play.run.recovery_limit):
        play.start("a")
        play.report("a", Ending.LOST, error_code=ENGINE_LOST)
        assert play.startable == ["a"]
    assert play.run.tasks["a"].tries == 0
    play.start("a")
    play.report("a", Ending.LOST, error_code=ENGINE_LOST)
    assert play.states == {"a": "failed"}
    assert play.events[-2].data["error_code"] == WORKER_LOST


def test_what_a_graceful_stop_gives_back_is_never_given_up():
    play = Play(run_of({"a": ""}))
    for _ in range(20):
        play.start("a")
        play.report("a", Ending.RELEASED, error_code=RELEASED)
    assert play.startable == ["a"]


@pytest.mark.parametrize("ending", [Ending.COMPLETED, Ending.FAILED, Ending.CANCELLED, Ending.LOST, Ending.RELEASED])
def test_a_cancel_wins_however_the_attempt_ends(ending):
    play = Play(run_of({"a": "", "b": "a", "c": "a?"}, a=retrying(9)))
    play.start("a")
    play.run.cancel([play.run.tasks["a"]], "enough", play.tick())
    play.collect()
    assert play.run.stopping() == [("a", 1)]
    assert play.states["a"] == "in_progress", "until it is confirmed"
    play.report("a", ending)
    assert play.states == {"a": "cancelled", "b": "blocked", "c": "pending"}
    assert play.run.tasks["a"].error == "enough"
    assert (Kind.LATE_RESULT, "a") in [(e.kind, e.task_id) for e in play.events] or ending != Ending.COMPLETED


def test_what_cannot_be_stopped_is_cancelled_at_once():
    play = Play(run_of({"a": ""}, a={"cancelable": False}))
    play.start("a")
    play.run.cancel([play.run.tasks["a"]], "enough", play.tick())
    assert play.states == {"a": "cancelled"}
    assert play.run.status == "failed"


def test_unusable_inputs_fail_without_retry():
    play = Play(run_of({"a": "", "b": "a"}, a=retrying(9)))
    play.ready.clear()
    play.run.refuse(play.run.tasks["a"], InputError("no 'x'"), play.tick())
    play.collect()
    assert play.states == {"a": "failed", "b": "blocked"}
    (ended,) = [e for e in play.events if e.kind == Kind.TASK_FAILED]
    assert (ended.data["error"], ended.data["error_code"]) == ("no 'x'", INVALID_INPUTS)


def test_progress_is_that_of_the_attempt():
    play = Play(run_of({"a": ""}, a=retrying()))
    play.start("a")
    play.report("a", Ending.PROGRESS, progress=0.5)
    assert play.run.tasks["a"].progress == 0.5
    play.report("a", Ending.FAILED)
    assert play.run.tasks["a"].progress == 0.0


graphs = st.lists(
    st.tuples(st.booleans(), st.dictionaries(st.integers(0, 11), st.booleans(), max_size=4)), min_size=1, max_size=12
)


def build(graph):
    edges, groups = {}, []
    for number, (group, awaited) in enumerate(graph):
        words = {f"t{at % number}": required for at, required in awaited.items()} if number else {}
        edges[f"t{number}"] = [name if required else f"{name}?" for name, required in words.items()]
        if group:
            groups.append(f"t{number}")
    names = list(edges)
    return run_of(edges, groups=groups, **{name: retrying(2) for name in names})


def consistent(play):
    run = play.run
    counted = dict.fromkeys(run.counts, 0)
    for state in play.states.values():
        counted[state] += 1
    assert counted == run.counts
    assert run.open == counted["pending"] + counted["in_progress"]
    assert (run.open == 0) == (run.status != "in_progress"), "a run ends exactly when nothing is open"
    assert [e.seq for e in play.events] == list(range(2, run.seq + 1))
    for task in run.scope:
        settled = [edge.task.settled for edge in task.edges]
        bad = [edge for edge in task.edges if edge.required and edge.task.settled and edge.task.verdict != "completed"]
        if task.status == "pending" or task.blocked_by:
            assert (task.blocked_by is not None) == bool(bad) or task.status == "cancelled", "blocked if and only if"
        else:
            assert all(settled) or task.status == "cancelled", "started before its dependencies"
            assert not bad or task.status == "cancelled"
        may = task.status == "pending" and all(settled) and not bad
        assert may == (task.ready_at is not None or task.retry_at is not None)


@settings(max_examples=150, deadline=None, database=None)
@given(graph=graphs, seed=st.integers(0, 2**32), cancels=st.booleans())
def test_whatever_the_graph_and_the_order_the_run_ends_and_all_is_consistent(graph, seed, cancels):
    dice = random.Random(seed)
    play = Play(build(graph))
    consistent(play)
    endings = [Ending.COMPLETED] * 4 + [Ending.FAILED, Ending.FAILED, Ending.LOST, Ending.CANCELLED, Ending.RELEASED]
    for step in range(2000):
        running = [t.id for t in play.run.scope if t.status == "in_progress"]
        for task in play.retries:
            play.run.wake(task, task.retry_at or play.now)
        play.collect()
        play.ready = [t for t in play.ready if t.status == "pending" and t.ready_at is not None]
        if cancels and dice.random() < 0.1:
            play.run.cancel(dice.sample(play.run.scope, 1), "no", play.tick())
            play.collect()
        elif play.ready and (not running or dice.random() < 0.5):
            play.start(dice.choice(play.ready).id)
        elif running:
            ending = dice.choice(endings) if step < 500 else Ending.COMPLETED
            play.report(dice.choice(running), ending, retryable=dice.random() < 0.5)
        consistent(play)
        if play.run.status != "in_progress":
            return
    raise AssertionError("it never ends")
