from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest

from orchestration.builders.array import spec_from_array, spec_from_text, tree_from_array
from orchestration.conf import conf
from orchestration.domain.errors import Invalid
from orchestration.models import Task, Tree
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def by_name(spec):
    return {task.name: task for task in spec.tasks}


def test_the_smallest_tree_is_one_object_with_a_name():
    spec = spec_from_array({"name": "start"})
    assert [(t.name, t.executor, t.priority, t.parent_id) for t in spec.tasks] == [("start", "", 2, None)]
    assert spec.warnings == []


def test_references_by_id_and_by_name_become_new_ids():
    spec = spec_from_array([
        {"id": "c", "name": "child", "parent_id": "root", "dependencies": ["x", {"name": "other"}]},
        {"id": "x", "name": "first", "parent_id": "r"},
        {"name": "other", "parent_id": "r", "dependencies": [{"id": "first", "required": False, "type": "result"}]},
        {"id": "r", "name": "root"},
    ])  # fmt: skip
    tasks = by_name(spec)
    assert [t.name for t in spec.tasks] == ["root", "child", "first", "other"]
    assert tasks["child"].parent_id == tasks["root"].id
    assert [d.id for d in tasks["child"].dependencies] == [tasks["first"].id, tasks["other"].id]
    assert [(d.id, d.required) for d in tasks["other"].dependencies] == [(tasks["first"].id, False)]
    assert all(UUID(t.id).version == 4 for t in spec.tasks)


def test_an_id_wins_over_a_name():
    spec = spec_from_array([
        {"id": "b", "name": "a"},
        {"id": "z", "name": "b", "parent_id": "a"},
        {"name": "c", "parent_id": "a", "dependencies": ["b", {"name": "b"}]},
    ])  # fmt: skip
    tasks = by_name(spec)
    assert [d.id for d in tasks["c"].dependencies] == [tasks["a"].id, tasks["b"].id]


def test_repeated_dependencies_are_dropped_and_the_first_counts():
    spec = spec_from_array([
        {"id": "1", "name": "a"},
        {"name": "b", "parent_id": "1", "dependencies": [{"id": "1", "required": False}, "a", {"name": "a"}]},
    ])  # fmt: skip
    (edge,) = by_name(spec)["b"].dependencies
    assert edge.required is False


def test_tasks_may_wait_for_their_root_and_the_root_for_tasks():
    down = [{"name": "r"}, {"name": "a", "parent_id": "r", "dependencies": ["r"]}]
    up = [{"name": "r", "dependencies": ["a"]}, {"name": "a", "parent_id": "r"}]
    assert all(len(spec_from_array(array).tasks) == 2 for array in (down, up))


def test_map_and_as_are_kept():
    spec = spec_from_array([
        {"name": "a"},
        {"name": "b", "parent_id": "a", "dependencies": [{"name": "a", "map": {"x": "rows.0"}}]},
        {"name": "c", "parent_id": "a", "dependencies": [{"name": "a", "as": "whole"}]},
    ])  # fmt: skip
    assert by_name(spec)["b"].dependencies[0].map == {"x": "rows.0"}
    assert by_name(spec)["c"].dependencies[0].as_key == "whole"


@pytest.mark.parametrize(
    ("fields", "executor"),
    [
        ({"executor": "noop", "params": {"executor_id": "simulate"}, "schemas": {"method": "http"}}, "noop"),
        ({"params": {"executor_id": "simulate"}, "schemas": {"method": "http"}}, "simulate"),
        ({"schemas": {"method": "http"}}, "http"),
        ({"name": "noop"}, "noop"),
        ({"name": "noop_executor"}, "noop"),
        ({"name": "noop", "executor": ""}, ""),
        ({"executor": "simulate_executor"}, "simulate"),
        ({"executor": None}, ""),
    ],
)
def test_the_executor_is_the_first_that_is_given(fields, executor):
    assert spec_from_array([{"name": "t"} | fields]).root.executor == executor


def test_work_without_an_executor_is_a_draft_with_a_warning():
    (warning,) = spec_from_array([{"name": "t", "inputs": {"x": 1}}]).warnings
    assert (warning.path, warning.code) == ("[0].executor", "draft")
    assert "'t'" in warning.message


def test_state_of_an_export_is_not_imported_and_said_so():
    spec = spec_from_array([{"name": "t", "status": "completed", "progress": 1.0, "result": {}, "lease_id": None}])
    (warning,) = spec.warnings
    assert warning.message.startswith("not imported: progress, result, status;")


def test_ids_are_kept_on_request_if_they_are_free():
    free, taken = uuid4(), uuid4()
    owner = make_user()
    tree_from_array(owner=owner, data=[{"id": str(taken), "name": "t"}], keep_ids=True)
    assert Task.objects.filter(pk=taken).exists()
    array = [{"id": str(free), "name": "r"}, {"id": str(taken), "name": "a", "parent_id": str(free)}]
    spec = spec_from_array(array, keep_ids=True)
    assert spec.root.id == free.hex
    assert by_name(spec)["a"].id != taken.hex
    assert spec_from_array(array).root.id != free.hex


def test_labels_come_with_the_tasks_or_with_the_call():
    data = {"labels": ["nightly"], "tasks": [{"name": "t"}]}
    assert tree_from_array(owner=make_user(), data=data, labels=["a"]).labels == ["nightly", "a"]


def test_equal_names_are_fine_while_nothing_refers_to_them():
    spec = spec_from_array(
        [{"id": "1", "name": "a"}, {"id": "2", "name": "a", "parent_id": "1", "dependencies": ["1"]}]
    )
    assert [t.name for t in spec.tasks] == ["a", "a"]


def test_json_and_yaml_say_the_same():
    array = [
        {"name": "r", "inputs": {"n": 1, "f": 1.5, "t": True, "z": None, "l": ["ä"]}},
        {"name": "a", "parent_id": "r"},
    ]
    text = """
- name: r
  inputs: {n: 1, f: 1.5, t: true, z: null, l: [ä]}
- name: a
  parent_id: r
"""
    for raw in (json.dumps(array), json.dumps(array).encode(), text, text.encode()):
        spec = spec_from_text(raw)
        assert [(t.name, t.inputs) for t in spec.tasks] == [(t["name"], t.get("inputs", {})) for t in array]


def test_ten_thousand_tasks_in_a_chain_and_a_thousand_parents_deep_are_fine():
    chain = [{"name": "0"}] + [
        {"name": str(i), "parent_id": "0", "dependencies": [str(i - 1)]} for i in range(1, 10_000)
    ]
    assert len(spec_from_array(chain).tasks) == 10_000
    deep = [{"name": str(i), "parent_id": str(i - 1) if i else None} for i in range(conf().max_parents + 1)]
    assert len(spec_from_array(deep).tasks) == 1_001


def test_nothing_is_stored_when_anything_is_wrong():
    array = [{"name": "r"}] + [{"name": str(i), "parent_id": "r"} for i in range(4_998)]
    array.append({"name": "last", "parent_id": "r", "priority": 9})
    with pytest.raises(Invalid) as caught:
        tree_from_array(owner=make_user(), data=array)
    assert caught.value.field == "[4999].priority"
    assert not Tree.objects.exists()
    assert not Task.objects.exists()
