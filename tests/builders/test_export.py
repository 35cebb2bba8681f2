from __future__ import annotations

import json

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.builders.array import spec_from_array, tree_from_array
from orchestration.builders.export import array_from_tree
from orchestration.models import Attempt, Run, Task
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db

WORDS = st.sampled_from(["load", "check", "noop", "1", "2", "räks", "<b>"])
VALUES = st.recursive(st.none() | st.booleans() | st.integers(-5, 5) | st.just("x"), lambda v: st.lists(v, max_size=2))


@st.composite
def arrays(draw):
    size = draw(st.integers(1, 7))
    array = []
    for i in range(size):
        item = {"id": f"i{i}", "name": draw(WORDS), "executor": draw(st.sampled_from(["noop", "simulate", ""]))}
        if i:
            item["parent_id"] = f"i{draw(st.integers(0, i - 1))}"
            picks = draw(st.lists(st.integers(0, i - 1), max_size=3, unique=True))
            extras = [{}, {"required": False}, {"as": "k"}, {"map": {"a": "b.c"}}]
            item["dependencies"] = [{"id": f"i{p}"} | draw(st.sampled_from(extras)) for p in picks]
        item["priority"] = draw(st.integers(0, 3))
        item["inputs"] = draw(st.dictionaries(st.sampled_from("ab"), VALUES))
        item["params"] = draw(st.sampled_from([{}, {"executor_id": "noop"}]))
        item["timeout_s"] = draw(st.sampled_from([None, 1.5]))
        item["max_attempts"] = draw(st.integers(1, 3))
        item["backoff"] = draw(st.sampled_from([{}, {"strategy": "linear", "base_s": 2}]))
        array.append(item)
    return array


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays())
def test_export_import_export_is_the_identity(array):
    owner = make_user(role=None)
    first = tree_from_array(owner=owner, data=array)
    exported = array_from_tree(first)
    again = tree_from_array(owner=owner, raw=json.dumps(exported))
    assert array_from_tree(again) == exported
    fields = ("name", "executor", "priority", "inputs", "params", "timeout_s", "max_attempts", "backoff", "depth")
    assert list(Task.objects.filter(tree=first).values_list(*fields)) == list(
        Task.objects.filter(tree=again).values_list(*fields)
    )


def test_names_are_the_references_where_all_differ():
    tree = make_tree(task("r", executor=""), task("a", priority=0), task("b", after=["a"], inputs={"x": 1}))
    assert array_from_tree(tree) == [
        {"name": "r"},
        {"name": "a", "parent_id": "r", "executor": "noop", "priority": 0},
        {"name": "b", "parent_id": "r", "executor": "noop", "inputs": {"x": 1}, "dependencies": [{"name": "a"}]},
    ]


def test_state_shows_results_and_can_be_imported_as_a_fresh_tree():
    tree = make_tree(task("r", executor=""), task("a"))
    a, now = task_named(tree, "a"), timezone.now()
    run = Run.objects.create(tree=tree, number=1, status="completed", started_at=now, completed_at=now)
    Attempt.objects.create(
        task=a, run=run, number=1, status="completed", result={"n": 1}, started_at=now, completed_at=now
    )
    Task.objects.filter(pk=a.pk).update(status="completed", attempt=1, progress=1.0, completed_at=now, run=run)
    array = json.loads(json.dumps(array_from_tree(tree, state=True)))
    assert array[1] | {"id": str(a.pk), "status": "completed", "result": {"n": 1}, "progress": 1.0} == array[1]
    assert array[0]["result"] is None
    spec = spec_from_array(array)
    assert [t.name for t in spec.tasks] == ["r", "a"]
    assert "status" in spec.warnings[0].message


def test_a_link_shows_the_result_of_its_original():
    tree = make_tree(task("a"))
    a, now = task_named(tree, "a"), timezone.now()
    run = Run.objects.create(tree=tree, number=1, status="completed", started_at=now, completed_at=now)
    done = Attempt.objects.create(
        task=a, run=run, number=1, status="completed", result=[1], started_at=now, completed_at=now
    )
    other = make_tree(task("l"))
    Task.objects.filter(tree=other).update(linked_attempt=done)
    assert array_from_tree(other, state=True)[0]["result"] == [1]
