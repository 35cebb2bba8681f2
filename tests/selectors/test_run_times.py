from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.domain.states import Status
from orchestration.models import Attempt, Task
from orchestration.selectors import run_times
from orchestration.selectors.run_times import task_times
from orchestration.services.runs import run_start
from tests.dashboard.rows import end_run, end_task, start
from tests.factories import make_tree, make_user, task

pytestmark = pytest.mark.django_db
BEGAN = timezone.now() - timedelta(hours=1)


def ran(run, name, number, *, begun, ended, status=Status.COMPLETED):
    """An attempt of *name* in *run*, in seconds after BEGAN."""
    owner = Task.objects.get(tree=run.tree, name=name)
    at = [BEGAN + timedelta(seconds=seconds) for seconds in (begun, ended)]
    fields = {"status": status, "started_at": at[0], "completed_at": at[1]}
    Attempt.objects.create(task=owner, run=run, number=number, **fields)
    return owner.pk


@pytest.fixture
def run(db):
    """a is tried twice, b ends before it; c waits for both, d for nothing, e has not started."""
    run = start(make_tree(task("a"), task("b"), task("c", after=["a", "b"]), task("d"), task("e"), owner=make_user()))
    ran(run, "a", 1, begun=0, ended=4, status=Status.FAILED)
    ran(run, "a", 2, begun=5, ended=9)
    ran(run, "b", 1, begun=0, ended=3)
    ran(run, "c", 1, begun=12, ended=13)
    ran(run, "d", 1, begun=1, ended=2)
    return run


@pytest.mark.parametrize("many", [0, run_times.MANY])
def test_a_task_could_start_when_its_last_dependency_had_ended(run, monkeypatch, many):
    monkeypatch.setattr(run_times, "MANY", many)  # the size from which on all attempts of the run are read
    ids = dict(Task.objects.filter(tree=run.tree).values_list("name", "pk"))
    found = task_times(run, list(ids.values()))
    seconds = {name: (found[pk].could_start - BEGAN).total_seconds() for name, pk in ids.items() if pk in found}
    assert seconds["c"] == 9
    assert found[ids["d"]].could_start == found[ids["a"]].could_start == run.started_at
    assert ids["e"] not in found
    assert [status for *_, status in found[ids["a"]].tries] == ["failed", "completed"]


def test_an_earlier_run_counts_nothing():
    tree = make_tree(task("a"), task("c", after=["a"]), owner=make_user())
    first = start(tree)
    for one in Task.objects.filter(tree=tree, name__in=["a", "c"]):
        end_task(first, one)
    end_run(first, Status.COMPLETED)
    owner = Task.objects.get(tree=tree, name="c")
    again = run_start(user=tree.owner, tree_id=tree.pk, mode="only", chosen=[owner.pk])
    ran(again, "c", 2, begun=100, ended=101)
    assert task_times(again, [owner.pk])[owner.pk].could_start == again.started_at


def test_what_has_not_started_costs_no_query(run, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert task_times(run, []) == {}
    ids = list(Task.objects.filter(tree=run.tree).values_list("pk", flat=True))
    with django_assert_num_queries(3):
        task_times(run, ids)
