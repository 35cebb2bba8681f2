from __future__ import annotations

import pytest

from orchestration.domain.spec import TaskSpec, TreeSpec
from orchestration.domain.task_fields import CHECKS, Limits, check_labels, check_together, did_you_mean, got

LIMITS = Limits(max_bytes=100, max_depth=4)


@pytest.mark.parametrize(
    ("executor", "inputs", "params", "draft"),
    [("", {}, {}, False), ("", {"a": 1}, {}, True), ("", {}, {"a": 1}, True), ("noop", {"a": 1}, {}, False)],
)
def test_a_draft_has_something_to_do_and_nothing_to_do_it(executor, inputs, params, draft):
    assert TaskSpec(id="1", name="t", executor=executor, inputs=inputs, params=params).is_draft is draft


def test_a_tree_is_named_after_its_root():
    spec = TreeSpec([TaskSpec(id="1", name="root"), TaskSpec(id="2", name="child", parent_id="1")])
    assert (spec.name, spec.root.id) == ("root", "1")


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("name", "räks 漢字", "räks 漢字"),
        ("priority", 0, 0),
        ("priority", 3, 3),
        ("inputs", None, {}),
        ("inputs", {"a": [1]}, {"a": [1]}),
        ("schemas", {"input_schema": {"type": "object"}}, {"input_schema": {"type": "object"}}),
        ("timeout_s", None, None),
        ("timeout_s", 1, 1.0),
        ("max_attempts", None, 1),
        ("max_attempts", 100, 100),
        ("backoff", None, {}),
        (
            "backoff",
            {"strategy": "linear", "base_s": 0, "cap_s": 5.5},
            {"strategy": "linear", "base_s": 0, "cap_s": 5.5},
        ),
    ],
)
def test_good_values_pass(field, value, stored):
    problems = []
    assert CHECKS[field](value, field, LIMITS, problems) == stored
    assert problems == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("priority", 2**31),
        ("inputs", {"a": "x" * 100}),
        ("params", {"a": [[[[1]]]]}),
        ("timeout_s", True),
        ("max_attempts", 1.0),
        ("backoff", {"cap_s": "5"}),
    ],
)
def test_bad_values_are_named(field, value):
    problems = []
    CHECKS[field](value, f"[7].{field}", LIMITS, problems)
    assert len(problems) == 1
    assert problems[0].path.startswith(f"[7].{field}")


def test_inputs_and_params_share_one_limit():
    problems = []
    check_together({"a": "x" * 60}, {"b": "x" * 60}, "[0]", LIMITS, problems)
    assert [p.code for p in problems] == ["too_large"]
    check_together({"a": "x" * 60}, {}, "[0]", LIMITS, problems)
    assert len(problems) == 1


def test_labels_are_kept_once_in_order():
    problems = []
    assert check_labels(["b", "a", "b"], "labels", problems) == ["b", "a"]
    check_labels([str(n) for n in range(21)], "labels", problems)
    check_labels(["x" * 51, 7], "labels", problems)
    assert [p.path for p in problems] == ["labels", "labels[0]", "labels[1]"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("a\0", "'a\ufffd'"),
        (1.5, "1.5"),
        (10**30, "a very large number"),
        ([], "a list"),
    ],
)
def test_what_was_given_is_told_shortly(value, text):
    assert got(value) == text


def test_suggestions_come_only_when_something_is_close():
    assert did_you_mean("dependancies", ["dependencies"]) == "; did you mean 'dependencies'?"
    assert did_you_mean("xyz", ["dependencies"]) == ""
