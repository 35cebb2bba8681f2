"""Who goes first: limits of executors and trees, ageing, priorities changed while tasks wait."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.domain.errors import AlreadyFinished, Forbidden, Invalid, NotFound
from orchestration.domain.ready_queue import Rules, Slots
from orchestration.domain.work import Ending, Outcome, Work
from orchestration.models import Event, Task
from orchestration.services.queue import task_prioritise, tree_limit
from orchestration.services.runs import run_start
from orchestration.services.transitions import Transitions
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db


def engine(**rules):
    return Transitions("test", lease_s=15, recovery_limit=3, rules=Rules(**rules))


def done(work: Work) -> Outcome:
    return Outcome(work.run_id, work.task_id, work.attempt, Ending.COMPLETED, result="{}")


def names(works):
    return [work.name for work in works]


def test_an_executor_limit_holds_over_all_runs():
    ann = make_user("ann")
    for name in ("one", "two"):
        tree = make_tree(task(name, executor=""), *(task(f"{name}{i}", parent=name) for i in range(3)), owner=ann)
        run_start(user=ann, tree_id=tree.pk)
    queue = engine(executor_limits={"noop": 2})
    first = queue.apply([], Slots(asynchronous=10)).works
    assert names(first) == ["one0", "one1"]
    assert names(queue.apply([done(first[0])], Slots(asynchronous=9)).works) == ["one2"]


def test_a_tree_limit_leaves_the_slots_to_others():
    ann = make_user("ann")
    narrow = make_tree(task("narrow", executor=""), *(task(f"n{i}", parent="narrow") for i in range(3)), owner=ann)
    wide = make_tree(
        task("wide", executor=""), *(task(f"w{i}", parent="wide", priority=3) for i in range(3)), owner=ann
    )
    tree_limit(user=ann, tree_id=narrow.pk, max_parallel=1)
    for tree in (narrow, wide):
        run_start(user=ann, tree_id=tree.pk)
    queue = engine()
    first = queue.apply([], Slots(asynchronous=10)).works
    assert names(first) == ["n0", "w0", "w1", "w2"]
    assert names(queue.apply([done(first[0])], Slots(asynchronous=7)).works) == ["n1"]


def test_a_higher_priority_moves_a_waiting_task_to_the_front():
    ann = make_user("ann")
    tree = make_tree(task("root", executor=""), task("a", parent="root"), task("b", parent="root"), owner=ann)
    run = run_start(user=ann, tree_id=tree.pk)
    queue = engine()
    queue.apply([], Slots())
    task_prioritise(user=ann, task_id=task_named(tree, "b").pk, priority=0)
    assert names(queue.apply([], Slots(asynchronous=1)).works) == ["b"]
    event = Event.objects.get(run=run, kind="task_changed")
    assert event.data == {"priority": 0, "was": 2}


def test_ageing_lets_a_low_priority_pass_one_that_came_much_later():
    ann = make_user("ann")
    old = make_tree(task("old", priority=3), owner=ann)
    run_start(user=ann, tree_id=old.pk)
    engine().apply([], Slots())
    Task.objects.filter(tree=old).update(ready_at=timezone.now() - timedelta(seconds=100))
    new = make_tree(task("new", priority=0), owner=ann)
    run_start(user=ann, tree_id=new.pk)
    assert names(engine(ageing_s=10).apply([], Slots(asynchronous=1)).works) == ["old"]


def test_without_ageing_priority_decides():
    ann = make_user("ann")
    old = make_tree(task("old", priority=3), owner=ann)
    run_start(user=ann, tree_id=old.pk)
    engine().apply([], Slots())
    Task.objects.filter(tree=old).update(ready_at=timezone.now() - timedelta(seconds=100))
    new = make_tree(task("new", priority=0), owner=ann)
    run_start(user=ann, tree_id=new.pk)
    assert names(engine().apply([], Slots(asynchronous=1)).works) == ["new"]


def test_a_started_task_has_no_place_in_the_queue_any_more():
    ann = make_user("ann")
    tree = make_tree(task("a"), owner=ann)
    run_start(user=ann, tree_id=tree.pk)
    engine().apply([], Slots(asynchronous=1))
    with pytest.raises(AlreadyFinished):
        task_prioritise(user=ann, task_id=task_named(tree, "a").pk, priority=0)


@pytest.mark.parametrize("priority", [4, -1, True, "high", None, 1.5])
def test_a_priority_is_a_whole_number_from_0_to_3(priority):
    ann = make_user("ann")
    tree = make_tree(task("a"), owner=ann)
    with pytest.raises(Invalid, match="priority: use 0 urgent"):
        task_prioritise(user=ann, task_id=task_named(tree, "a").pk, priority=priority)


def test_only_who_may_run_a_tree_reorders_it():
    ann, eve = make_user("ann"), make_user("eve")
    tree = make_tree(task("a"), owner=ann)
    viewer = make_user("vic", role="viewer")
    tree.shares.create(user=viewer, right="view")
    with pytest.raises(NotFound):
        task_prioritise(user=eve, task_id=task_named(tree, "a").pk, priority=0)
    with pytest.raises(Forbidden):
        task_prioritise(user=viewer, task_id=task_named(tree, "a").pk, priority=0)
