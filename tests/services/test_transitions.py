from __future__ import annotations

import json

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import Ending, Outcome
from orchestration.driver import driver_cursor
from orchestration.models import Attempt, Event, Run, Task
from orchestration.services.runs import run_cancel, run_start
from orchestration.services.transitions import OVERLOOKED, Transitions
from orchestration.services.transitions_load import StaleState, load_run
from orchestration.services.transitions_store import store
from tests.factories import make_tree, make_user, task, task_named
from tests.support_fold import verify

pytestmark = pytest.mark.django_db


def new_engine():
    return Transitions("w", lease_s=15, recovery_limit=3)


def completed(work, result="1"):
    return Outcome(work.run_id, work.task_id, work.attempt, Ending.COMPLETED, result=result)


@pytest.fixture
def run():
    tree = make_tree(task("root", executor=""), task("a"), task("b", after=["a"]), task("c", optional=["a"]))
    return run_start(user=make_user(), tree_id=tree.pk)


@pytest.mark.parametrize("result", ["null", "false", "0", '""', "[]", "{}", '"' + "x" * 100_000 + '"'])
def test_every_result_reaches_the_next_task_as_it_is(run, result):
    engine = new_engine()
    (a,) = engine.apply([], Slots(0, 9)).works
    works = engine.apply([completed(a, result)], Slots(0, 9)).works
    for work in works:
        (told,) = work.dependencies
        assert (told.status, told.result) == ("completed", json.loads(result))
    assert len(works) == 2
    verify(run.pk)


def test_another_engine_reads_the_same_results(run):
    (a,) = new_engine().apply([], Slots(0, 9)).works
    new_engine().apply([completed(a, '{"x": 1}')], Slots())
    works = new_engine().apply([], Slots(0, 9)).works
    assert [w.dependencies[0].result for w in works] == [{"x": 1}] * 2
    verify(run.pk)


def test_two_reports_in_one_batch_the_first_counts(run):
    engine = new_engine()
    (a,) = engine.apply([], Slots(0, 9)).works
    failed = Outcome(a.run_id, a.task_id, a.attempt, Ending.FAILED, error="no")
    engine.apply([completed(a), failed, completed(a, "2")], Slots())
    assert Attempt.objects.get(task__name="a").result == 1
    assert Event.objects.filter(run=run, kind="late_result").count() == 2
    verify(run.pk)


def test_what_a_failed_transaction_had_in_hand_is_not_lost(run):
    engine = new_engine()
    (a,) = engine.apply([], Slots(0, 9)).works
    with connection.execute_wrapper(broken_after(6)), pytest.raises(OperationalError):
        engine.apply([completed(a)], Slots(0, 9))
    verify(run.pk)
    works = engine.apply([completed(a)], Slots(0, 9)).works
    assert {w.name for w in works} == {"b", "c"}
    verify(run.pk)


def broken_after(count):
    """From the statement of that number on the disk is full."""
    seen = []

    def execute(run, sql, params, many, context):
        seen.append(sql)
        if len(seen) > count and not sql.startswith(("ROLLBACK", "RELEASE", "SAVEPOINT")):
            raise OperationalError("database or disk is full")
        return run(sql, params, many, context)

    return execute


@pytest.mark.parametrize("count", range(12))
def test_wherever_it_breaks_nothing_is_stored_by_half(run, count):
    engine = new_engine()
    (a,) = engine.apply([], Slots(0, 9)).works
    before = Event.objects.count()
    try:
        with connection.execute_wrapper(broken_after(count)):
            engine.apply([completed(a)], Slots(0, 9))
    except OperationalError:
        assert Event.objects.count() == before
        engine.apply([completed(a)], Slots(0, 9))
    assert Task.objects.filter(run=run, status="in_progress").count() == 2
    assert not Event.objects.filter(kind="late_result").exists()
    verify(run.pk)


def test_a_run_ended_by_a_cancel_is_told_as_ended(run):
    engine = new_engine()
    engine.apply([], Slots())
    run_cancel(user=make_user(), run_id=run.pk)
    applied = engine.apply([], Slots(0, 9))
    assert (applied.ended, applied.works, applied.active) == ([(run.pk, "cancelled")], [], 0)


def test_reports_about_a_run_that_cannot_be_read_are_kept(run):
    engine = new_engine()
    (a,) = engine.apply([], Slots(0, 1)).works
    Run.objects.filter(pk=run.pk).update(overrides={"no id": {}})
    engine = new_engine()
    other = run_start(user=make_user(), tree_id=make_tree(task("other")).pk)
    applied = engine.apply([completed(a)], Slots(0, 9))
    assert (applied.unreadable, [w.run_id for w in applied.works]) == ([run.pk], [other.pk])
    Run.objects.filter(pk=run.pk).update(overrides={})
    assert {w.name for w in engine.apply([], Slots(0, 9), sweep=True).works} == {"b", "c"}
    assert task_named(run.tree, "a").status == "completed"
    assert engine.apply([], Slots()).unreadable == []
    verify(run.pk)


def test_a_report_about_a_deleted_run_is_nothing(run):
    engine = new_engine()
    (a,) = engine.apply([], Slots(0, 9)).works
    Run.objects.filter(pk=run.pk).delete()
    assert engine.apply([completed(a)], Slots(0, 9)).works == []


def test_the_sweep_finds_a_run_in_which_nothing_moves(run, caplog):
    engine = new_engine()
    engine.apply([], Slots())
    Task.objects.filter(run=run).update(ready_at=None)
    assert engine.apply([], Slots(0, 9), sweep=True).works, "it starts again"
    assert "work was overlooked" in caplog.text


LOSE = "UPDATE orchestration_task SET ready_at = NULL WHERE id = %s"


def lose_ready(task_id):
    with connection.cursor() as cursor:
        cursor.execute(LOSE, [task_named(Run.objects.get().tree, task_id).pk.hex])


@pytest.mark.parametrize("forgotten", [False, True], ids=["rows alone", "memory too"])
def test_the_sweep_finds_work_that_was_overlooked(caplog, forgotten):
    tree = make_tree(task("root", executor=""), task("a"), task("b"), task("c", after=["a"]), task("d", optional=["a"]))
    run = run_start(user=make_user(), tree_id=tree.pk)
    engine = new_engine()
    (first,) = engine.apply([], Slots(0, 1)).works
    lose_ready("b")
    if forgotten:
        engine._ready._heaps.clear()
    engine.apply([], Slots(), sweep=True)
    assert "work was overlooked" in caplog.text
    assert task_named(tree, "b").ready_at is not None
    caplog.clear()
    works = [first]
    while works:  # at every step there is work under way: the run as a whole is never stuck
        works = [w for work in works for w in engine.apply([completed(work)], Slots(0, 1), sweep=True).works]
    run.refresh_from_db()
    assert (run.status, run.completed) == ("completed", 5)
    assert not caplog.records, "a healthy run gives the sweep nothing to do"
    verify(run.pk)


def test_the_sweep_looks_at_tasks_by_index_only():
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {OVERLOOKED}")
            plan = [row[3] for row in cursor.fetchall()]
            assert not [step for step in plan if step.startswith("SCAN")]
            assert any("SEARCH u USING INDEX" in step and "(id=?)" in step for step in plan)
        else:
            cursor.execute(f"EXPLAIN {OVERLOOKED}")
            assert "SubPlan" in str(cursor.fetchall())


@pytest.mark.parametrize(
    ("model", "changes"), [(Run, {"seq": F("seq") + 1}), (Task, {"attempt": F("attempt") + 1})], ids=["run", "task"]
)
def test_when_one_of_several_runs_is_stale_nothing_is_stored_of_any(model, changes):
    user = make_user()
    trees = [make_tree(task("a"), task("b", after=["a"]), owner=user) for _ in range(3)]
    runs = [run_start(user=user, tree_id=tree.pk) for tree in trees]
    works = new_engine().apply([], Slots(0, 9)).works
    states = [load_run(run.pk, recovery_limit=0) for run in runs]
    now = timezone.now()
    for state, work in zip(states, works, strict=True):
        state.report(completed(work), now, 0.5)
    model.objects.filter(**{"pk" if model is Run else "run": runs[1].pk}).update(**changes)
    before = rows_of(runs)
    with pytest.raises(StaleState), transaction.atomic(), driver_cursor() as cursor:
        store(cursor, [(state, state.take_changes()) for state in states], now)
    assert rows_of(runs) == before


def rows_of(runs):
    """What tells whether anything was stored of *runs*."""
    return [list(model.objects.filter(run__in=runs).order_by("pk").values()) for model in (Task, Attempt, Event)]


def test_a_step_of_several_runs_is_stored_as_one_of_each():
    user = make_user()
    runs = [run_start(user=user, tree_id=make_tree(task("a"), owner=user).pk) for _ in range(3)]
    engine = new_engine()
    works = engine.apply([], Slots(0, 9)).works
    engine.apply([completed(work, f'"{work.run_id}"') for work in works], Slots())
    assert [attempt.result for attempt in Attempt.objects.order_by("run_id")] == [str(run.pk) for run in runs]
    for run in runs:
        run.refresh_from_db()
        assert (run.status, run.completed) == ("completed", 1)
        verify(run.pk)
