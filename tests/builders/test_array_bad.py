"""Every refusal names the place and the remedy; all of them come at once; nothing is stored."""

from __future__ import annotations

import json

import pytest

from orchestration.builders.array import spec_from_array, spec_from_text, tree_from_array
from orchestration.domain.errors import Invalid
from orchestration.models import Task, Tree
from tests.factories import make_user

KIB = 1024


def one(**fields):
    return [{"name": "t", "executor": "noop", **fields}]


def two(**fields):
    return [{"id": "1", "name": "r"}, {"id": "2", "name": "t", "parent_id": "1", **fields}]


def depends(*entries):
    return two(dependencies=list(entries))


def cycle(n):
    return [{"name": "t0", "dependencies": [f"t{n - 1}"]}] + [
        {"name": f"t{i}", "parent_id": "t0", "dependencies": [f"t{i - 1}"]} for i in range(1, n)
    ]


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


CASES = {
    # the array
    "empty": ([], "", "at least one task"),
    "text": ("x", "", "expected a list of tasks"),
    "number in the list": ([1], "[0]", "expected an object"),
    "tasks is no list": ({"tasks": {}}, "tasks", "expected a list"),
    "wrapper with unknown key": ({"tasks": [{"name": "a"}], "label": []}, "label", "did you mean 'labels'"),
    "labels": ({"tasks": [{"name": "a"}], "labels": "x"}, "labels", "expected a list"),
    "label": ({"tasks": [{"name": "a"}], "labels": [""]}, "labels[0]", "blank"),
    "too many tasks": ([{"name": "a"}] * 10_001, "", "10000 are allowed"),
    # fields
    "no name": ([{"id": "1"}], "[0]", "add one"),
    "name is a number": (one(name=7), "[0].name", "got 7"),
    "name is an object": (one(name={"$ne": 1}), "[0].name", "got an object"),
    "blank name": (one(name="   "), "[0].name", "blank"),
    "invisible name": (one(name="\u200b\u2060\ufeff"), "[0].name", "visible"),
    "NUL in name": (one(name="a\0b"), "[0].name", "null characters"),
    "surrogate in name": (one(name="\ud800"), "[0].name", "surrogate"),
    "bidi in name": (one(name="a\u202eb"), "[0].name", "bidirectional"),
    "escape in name": (one(name="a\x1b[31m"), "[0].name", "control"),
    "line break in name": (one(name="a\nb"), "[0].name", "line breaks"),
    "long name": (one(name="x" * 256), "[0].name", "255"),
    "priority true": (one(priority=True), "[0].priority", "got true"),
    "priority 1.0": (one(priority=1.0), "[0].priority", "got 1.0"),
    "priority text": (one(priority="high"), "[0].priority", "whole number 0 (urgent)"),
    "priority -1": (one(priority=-1), "[0].priority", "got -1"),
    "priority 4": (one(priority=4), "[0].priority", "got 4"),
    "priority null": (one(priority=None), "[0].priority", "got null"),
    "priority huge": (one(priority=10**5000), "[0].priority", "very large"),
    "unknown field": (one(dependancies=[]), "[0].dependancies", "did you mean 'dependencies'"),
    "children": (one(children=[{}]), "[0].children", "flat list"),
    "inputs list": (one(inputs=[]), "[0].inputs", "expected an object"),
    "inputs text": (one(inputs="{}"), "[0].inputs", "expected an object"),
    "NaN": (one(inputs={"k": float("nan")}), "[0].inputs.k", "nan"),
    "NUL in inputs": (one(inputs={"k": "a\0"}), "[0].inputs.k", "null characters"),
    "surrogate in params": (one(params={"k": "\udfff"}), "[0].params.k", "surrogate"),
    "integer": (one(inputs={"k": 2**63}), "[0].inputs.k", "64 bits"),
    "deep": (one(inputs={"k": nested(64)}), "[0].inputs", "64 levels"),
    "large": (one(inputs={"k": "x" * (256 * KIB)}), "[0].inputs", "256 KiB"),
    "large together": (one(inputs={"k": "x" * 200_000}, params={"k": "x" * 100_000}), "[0]", "together"),
    "input_schema": (one(schemas={"input_schema": []}), "[0].schemas.input_schema", "JSON Schema"),
    "timeout 0": (one(timeout_s=0), "[0].timeout_s", "more than 0"),
    "timeout infinite": (one(timeout_s=float("inf")), "[0].timeout_s", "at most"),
    "timeout text": (one(timeout_s="5"), "[0].timeout_s", "got '5'"),
    "timeout 1e18": (one(timeout_s=1e18), "[0].timeout_s", "at most"),
    "max_attempts 0": (one(max_attempts=0), "[0].max_attempts", "1 to 100"),
    "max_attempts 101": (one(max_attempts=101), "[0].max_attempts", "1 to 100"),
    "max_attempts true": (one(max_attempts=True), "[0].max_attempts", "got true"),
    "backoff text": (one(backoff="fixed"), "[0].backoff", "expected an object"),
    "backoff strategy": (one(backoff={"strategy": "random"}), "[0].backoff.strategy", "fixed, linear or exponential"),
    "backoff field": (one(backoff={"base": 1}), "[0].backoff.base", "did you mean 'base_s'"),
    "backoff base": (one(backoff={"base_s": -1}), "[0].backoff.base_s", "at least 0"),
    "user_id": (one(user_id=[]), "[0].user_id", "expected a text"),
    "mixed users": (
        [{"name": "a", "user_id": "x"}, {"name": "b", "parent_id": "a", "user_id": "y"}],
        "[1].user_id",
        "same",
    ),
    # executors
    "unknown executor": (one(executor="nope"), "[0].executor", "no executor 'nope'"),
    "near executor": (one(executor="simulat"), "[0].executor", "did you mean 'simulate'"),
    "unknown method": ([{"name": "t", "schemas": {"method": "nope"}}], "[0].schemas.method", "no executor"),
    "unknown executor_id": (
        [{"name": "t", "params": {"executor_id": "nope"}}],
        "[0].params.executor_id",
        "no executor",
    ),
    "executor is a number": (one(executor=1), "[0].executor", "expected the id"),
    # references
    "id is a number": (one(id=1), "[0].id", "put it in quotes"),
    "parent is a number": (two(parent_id=1), "[1].parent_id", "put it in quotes"),
    "duplicate id": ([{"id": "1", "name": "a"}, {"id": "1", "name": "b", "parent_id": "a"}], "[1].id", "used by [0]"),
    "unknown parent": (two(parent_id="zz"), "[1].parent_id", "'zz' is not the id or name"),
    "misspelt parent": ([{"name": "extract"}, {"name": "b", "parent_id": "extrct"}], "[1].parent_id", "'extract'"),
    "unknown dependency": (depends("zz"), "[1].dependencies[0]", "same tree"),
    "foreign dependency": (depends("7e57d004-2b97-4e7a-b45f-5387367791cd"), "[1].dependencies[0]", "same tree"),
    "dependencies is an object": (two(dependencies={}), "[1].dependencies", "expected a list"),
    "dependency is a number": (depends(1), "[1].dependencies[0]", "expected an id, a name"),
    "dependency without id": (depends({}), "[1].dependencies[0]", "needs the 'id' or the 'name'"),
    "dependency with a typo": (depends({"id": "1", "requird": 1}), "[1].dependencies[0].requird", "'required'"),
    "required is no bool": (depends({"id": "1", "required": 1}), "[1].dependencies[0].required", "true or false"),
    "map and as": (depends({"id": "1", "map": {"a": "b"}, "as": "x"}), "[1].dependencies[0]", "keep one"),
    "map is a list": (depends({"id": "1", "map": []}), "[1].dependencies[0].map", "expected an object"),
    "map path": (depends({"id": "1", "map": {"a": 1}}), "[1].dependencies[0].map.a", "path in the result"),
    "as": (depends({"id": "1", "as": 1}), "[1].dependencies[0].as", "expected a key"),
    "ambiguous": (
        [{"name": "r"}, *[{"name": "x", "parent_id": "r"}] * 2, {"name": "y", "parent_id": "r", "dependencies": ["x"]}],
        "[3].dependencies[0]",
        "([1], [2]): give them ids",
    ),
    # shape
    "two roots": ([{"name": "a"}, {"name": "b"}], "", "'a' [0], 'b' [1]"),
    "own parent": ([{"name": "r"}, {"name": "a", "parent_id": "a"}], "[1].parent_id", "a is inside a"),
    "parent cycle": (
        [{"name": "r"}, {"name": "a", "parent_id": "b"}, {"name": "b", "parent_id": "a"}],
        "[1].parent_id",
        "a is inside b is inside a",
    ),
    "no root": ([{"name": "a", "parent_id": "a"}], "[0].parent_id", "cycle"),
    "too deep": (
        [{"name": str(i), "parent_id": str(i - 1) if i else None} for i in range(1_002)],
        "[1001].parent_id",
        "1000 are allowed",
    ),
    "waits for itself": (depends("2"), "[1].dependencies[0]", "waits for itself"),
    "cycle of two": (cycle(2), "[0].dependencies", "t0 waits for t1 waits for t0"),
    "cycle of ten thousand": (cycle(10_000), "[0].dependencies", "waits for ... waits for t0 (10000 tasks)"),
}


@pytest.mark.parametrize(("data", "path", "text"), CASES.values(), ids=CASES)
def test_is_refused(data, path, text):
    with pytest.raises(Invalid) as caught:
        spec_from_array(data)
    first = caught.value.problems[0]
    assert (first.path, text in first.message) == (path, True), str(first)
    assert len(first.message) < 1_000


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("[{]", "not JSON"),
        ('[{"name": "a", "name": "b"}]', "appears twice"),
        ('[{"name": "a", "inputs": {"k": NaN}}]', "NaN"),
        ('[{"name": "a"}] x', "unexpected data"),
        (b'[{"name": "\xff"}]', "UTF-8"),
        (b"name: \xff", "UTF-8"),
        (json.dumps(one(inputs={"k": "x" * (6 * KIB * KIB)})), "larger than 5 MiB"),
        ("name: " + "x" * (6 * KIB * KIB), "larger than 5 MiB"),
        ("[" * 100_000, "deeper than"),
        ("name: " + "[" * 100_000, "YAML"),
        ("name: " + "[" * 500 + "]" * 500, "YAML nested deeper"),
        ("a: &x [1]\nb: *x", "anchors"),
        ("name: a\nname: b", "appears twice"),
        ("name: a\ninputs: {day: 2026-01-02}", "inputs.day: got a date (2026-01-02)"),
        ("name: a\ninputs: {1: x}", "keys must be text"),
        ("name: a\ninputs: {x: !!set {a}}", "inputs.x: got a set"),
        ("name: !!python/object/apply:os.getcwd []", "not YAML"),
        ("name: [", "not YAML"),
        ("name: a\ninputs: {x: .nan}", "nan"),
        ("name: " + "9" * 5_000, "not YAML"),
        ("", "not JSON"),
    ],
    ids=range(21),
)
def test_text_is_refused(raw, text):
    with pytest.raises(Invalid) as caught:
        spec_from_text(raw)
    assert text in caught.value.message


def test_all_problems_are_told_at_once():
    array = [
        {"name": "r", "priority": 7},
        {"name": "a", "parent_id": "nowhere", "dependencies": ["b", "c"], "timeout_s": -1},
        {"nme": "b"},
    ]
    with pytest.raises(Invalid) as caught:
        spec_from_array(array)
    paths = [p.path for p in caught.value.problems]
    assert paths == [
        "[0].priority",
        "[1].timeout_s",
        "[2].nme",
        "[2]",
        "[1].parent_id",
        "[1].dependencies[0]",
        "[1].dependencies[1]",
    ]


def test_no_more_than_a_hundred_problems_are_told():
    with pytest.raises(Invalid) as caught:
        spec_from_array([{"name": f"t{i}", "parent_id": "t0" if i else None, "priority": 9} for i in range(500)])
    assert len(caught.value.problems) == 101
    assert caught.value.problems[-1].message == "and 400 more problems"


@pytest.mark.django_db
def test_nothing_is_stored_of_a_refused_text():
    with pytest.raises(Invalid):
        tree_from_array(owner=make_user(), raw='[{"name": "r"}, {"name": "a", "parent_id": "zz"}]')
    assert (Tree.objects.count(), Task.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '" onmouseover="x', "{{ 7|add:7 }}", "😀" * 200, "räks 漢字"]
)
def test_hostile_looking_names_are_data(name):
    assert spec_from_array([{"name": name}]).root.name == name
