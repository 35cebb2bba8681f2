from __future__ import annotations

import pytest

from orchestration.domain.errors import InputError
from orchestration.domain.merging import Source, resolve
from orchestration.domain.work import DependencyResult


def source(result, name="up", *, required=True, status="completed", **edge):
    return Source(DependencyResult(f"id-{name}", name, required, status, result), **edge)


def inputs_of(declared, *sources, overrides=None, merges=True):
    return resolve(declared, overrides or {}, sources, merges=merges)[0]


@pytest.mark.parametrize(
    ("declared", "sources", "want"),
    [
        # 1: map
        ({"x": 1}, [source({"a": {"b": [5, 6]}}, map={"x": "a.b.1"})], {"x": 6}),
        ({}, [source({"a": 1}, map={"all": ""})], {"all": {"a": 1}}),
        ({}, [source([{"n": 3}], map={"n": "0.n"})], {"n": 3}),
        ({"x": 1}, [source({}, required=False, map={"x": "a"})], {"x": 1}),
        ({}, [source({"a": None}, map={"x": "a"})], {"x": None}),
        # 2: as
        ({"k": 1}, [source({"a": 2}, as_key="up")], {"k": 1, "up": {"a": 2}}),
        ({"up": 1}, [source(7, as_key="up")], {"up": 7}),
        # 3: merged objects never overwrite
        ({"keep": 1}, [source({"keep": 2, "new": 3})], {"keep": 1, "new": 3}),
        ({}, [source({"k": 1}, "one"), source({"k": 2, "l": 2}, "two")], {"k": 1, "l": 2}),
        ({"existing": "value"}, [source({"url": "u", "data": 1})], {"existing": "value", "url": "u", "data": 1}),
        ({}, [source({})], {}),
        # 4: anything else under the id
        *(({"keep": 1}, [source(value)], {"keep": 1, "id-up": value}) for value in (None, False, 0, "", [], [1], "t")),
        # what gives nothing
        ({"k": 1}, [source({"a": 1}, status=status) for status in ("failed", "cancelled", "blocked")], {"k": 1}),
        ({"k": 1}, [source(None, has_result=False)], {"k": 1}),
    ],
)
def test_where_results_go(declared, sources, want):
    before = dict(declared)
    assert inputs_of(declared, *sources) == want
    assert declared == before, "the stored inputs never change"


def test_an_executor_that_does_not_merge_gets_objects_under_the_id():
    assert inputs_of({}, source({"a": 1}), merges=False) == {"id-up": {"a": 1}}
    assert inputs_of({}, source({"a": 1}, as_key="k"), merges=False) == {"k": {"a": 1}}
    assert inputs_of({}, source({"a": 1}, map={"m": "a"}), merges=False) == {"m": 1}


@pytest.mark.parametrize("result", [{}, {"a": {}}, {"a": []}, {"a": [1]}, {"a": "text"}, None, 5])
def test_a_missing_path_of_a_required_dependency_is_named(result):
    with pytest.raises(InputError) as missing:
        inputs_of({}, source(result, map={"field": "a.1"}))
    assert missing.value.field == "field"
    assert "'up'" in str(missing.value)
    assert "'a.1'" in str(missing.value)


def test_every_key_says_where_it_came_from_and_what_it_hides():
    _, origin = resolve(
        {"d": 1, "o": 1},
        {"o": 2},
        [source({"d": 9, "n": 1}, "one"), source({"n": 2}, "two"), source(5, "three", as_key="d")],
        merges=True,
    )
    one = {"source": "dependency", "task": "id-one", "path": "d"}
    assert origin["o"] == {"source": "override"}
    assert origin["n"] == {
        "source": "dependency",
        "task": "id-one",
        "path": "n",
        "shadows": [{"source": "dependency", "task": "id-two", "path": "n"}],
    }
    assert origin["d"] == {
        "source": "dependency",
        "task": "id-three",
        "path": "",
        "shadows": [one, {"source": "declared"}],
    }


def test_an_override_wins_over_what_is_declared_and_over_merged_keys():
    assert inputs_of({"a": 1}, source({"a": 2, "b": 2}), overrides={"a": 3, "b": 3}) == {"a": 3, "b": 3}


def test_an_override_of_this_run_wins_over_what_an_edge_maps_and_the_edge_is_shadowed():
    inputs, origin = resolve({"a": 1}, {"a": 3}, [source({"x": 2}, map={"a": "x"})], merges=False)
    assert inputs == {"a": 3}
    assert origin["a"]["source"] == "override"
    assert [entry["path"] for entry in origin["a"]["shadows"]] == ["x"]
