"""Runs against edits, deletes and re-executions at the same moment, many times."""

from __future__ import annotations

import pytest

from orchestration.domain.errors import AlreadyRunning, NotFound, OrchestrationError
from orchestration.domain.ready_queue import Slots
from orchestration.executors.base import Executor
from orchestration.models import Attempt, Event, Run, Task, Tree
from orchestration.services.runs import run_start
from orchestration.services.trees import task_update, tree_delete
from tests.engine.support import EngineThread, registered, until
from tests.factories import make_tree, make_user, task, task_named
from tests.services.test_transitions_races import ROUNDS, completed, new_engine, one_task, race
from tests.support_fold import verify

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


class Echo(Executor):
    """Returns what it was given: shows at once whether a result is old."""

    id = "echo_of_inputs"
    name = "echo"
    isolated = False
    merges_results = True

    async def run(self, ctx):
        return dict(ctx.inputs)


def test_an_edit_comes_before_the_run_or_is_refused():
    user, tree, only = one_task()
    engine = new_engine()
    for number in range(ROUNDS):
        only.refresh_from_db()
        wish = {"inputs": {"message": f"round {number}"}}
        edit, run = race(
            lambda wish=wish: task_update(user=user, task_id=only.pk, version=only.version, changes=wish),
            lambda: run_start(user=user, tree_id=tree.pk),
        )
        assert isinstance(run, Run), run
        (work,) = engine.apply([], Slots(0, 1)).works
        if isinstance(edit, Exception):
            assert isinstance(edit, AlreadyRunning), edit
            assert work.inputs != wish["inputs"]
        else:
            assert work.inputs == wish["inputs"], "the run took the definition from before an edit that was accepted"
        engine.apply(completed(work), Slots())
        verify(run.pk)


def test_a_delete_and_a_start_never_both_succeed():
    user = make_user()
    engine = new_engine()
    for _ in range(ROUNDS):
        tree = make_tree(task("only", executor="simulate"), owner=user)
        gone, run = race(
            lambda tree=tree: tree_delete(user=user, tree_id=tree.pk),
            lambda tree=tree: run_start(user=user, tree_id=tree.pk),
        )
        if isinstance(run, Run):
            assert isinstance(gone, AlreadyRunning), gone
            (work,) = engine.apply([], Slots(0, 1)).works
            engine.apply(completed(work), Slots())
            verify(run.pk)
        else:
            assert gone is None, gone
            assert isinstance(run, NotFound), run
            assert not Tree.objects.filter(pk=tree.pk).exists()
            assert not Task.objects.filter(tree_id=tree.pk).exists()
    counted = Attempt.objects.count(), Run.objects.count()
    assert counted[0] == counted[1]
    assert Event.objects.exclude(run__in=Run.objects.all()).count() == 0


@pytest.mark.fault
def test_of_two_re_executions_at_once_one_wins():
    user = make_user()
    tree = make_tree(task("s1", executor="simulate"), task("s2", after=["s1"], executor="simulate"), owner=user)
    engine = new_engine()

    def finish(run):
        applied = engine.apply([], Slots(0, 2))
        while applied.works:
            applied = engine.apply([o for work in applied.works for o in completed(work)], Slots(0, 2))
        verify(run.pk)

    finish(run_start(user=user, tree_id=tree.pk))
    first, second = task_named(tree, "s1"), task_named(tree, "s2")
    for _ in range(ROUNDS):
        answers = race(
            lambda: run_start(user=user, tree_id=tree.pk, mode="from", chosen=[first.pk]),
            lambda: run_start(user=user, tree_id=tree.pk, mode="only", chosen=[second.pk]),
        )
        (run,) = [answer for answer in answers if isinstance(answer, Run)]
        (refused,) = [answer for answer in answers if isinstance(answer, OrchestrationError)]
        assert isinstance(refused, AlreadyRunning)
        assert refused.run_id == run.pk
        finish(run)


def test_nobody_ever_reads_a_stale_result(tmp_path):
    """s2 must see what s1 returned in this run, whatever it returned before: with a real engine."""
    user = make_user()
    with registered(Echo), EngineThread(tmp_path, async_slots=8):
        tree = make_tree(
            task("s1", executor="echo_of_inputs"),
            *(task(f"s2-{i}", executor="echo_of_inputs", after=["s1"]) for i in range(4)),
            owner=user,
        )
        first = task_named(tree, "s1")
        for number in range(ROUNDS):
            run = run_start(
                user=user,
                tree_id=tree.pk,
                mode="all" if number == 0 else "from",
                chosen=[] if number == 0 else [first.pk],
                overrides={str(first.pk): {"inputs": {"round": number}}},
            )
            until(lambda run=run: not Run.objects.get(pk=run.pk).is_active, f"the end of round {number}")
            results = Attempt.objects.filter(run=run).values_list("result", flat=True)
            assert list(results) == [{"round": number}] * 5
    verify(run.pk)
