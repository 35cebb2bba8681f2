"""Each rule: what it tells, and what it lets pass."""

from __future__ import annotations

import time

import pytest

from orchestration.domain.lint import Known, LintEdge, LintTask, Severity, lint

KNOWN = {
    "noop": Known(),
    "pure": Known(required=frozenset({"x"}), merges=True, gives=frozenset({"y"})),
    "open": Known(merges=True),
    "http": Known(required=frozenset({"url"})),
}


def a(name, *edges, executor="noop", priority=2, parent=None, inputs=(), **fields):
    made = tuple(LintEdge(edge) if isinstance(edge, str) else edge for edge in edges)
    return LintTask(
        name, name, parent=parent, executor=executor, priority=priority, inputs=frozenset(inputs), edges=made, **fields
    )


def optional(other):
    return LintEdge(other, required=False)


def found(*tasks):
    return [(one.code, one.task) for one in lint(tasks, KNOWN)]


CASES = {
    "nothing wrong": ([a("a"), a("b", "a")], []),
    "cycle": ([a("a", "b"), a("b", "a")], [("cycle", "a")]),
    "itself": ([a("a", "a")], [("cycle", "a")]),
    "two cycles": ([a("a", "b"), a("b", "a"), a("c", "d"), a("d", "c")], [("cycle", "a"), ("cycle", "c")]),
    "urgent waits for low": ([a("a", priority=3), a("b", "a", priority=0)], [("priority_inversion", "b")]),
    "urgent waits for normal": ([a("a"), a("b", "a", priority=0)], [("priority_inversion", "b")]),
    "through another": (
        [a("a", priority=3), a("m", "a", priority=1), a("b", "m", priority=0)],
        [("priority_inversion", "m"), ("priority_inversion", "b")],
    ),
    "one step is fine": ([a("a"), a("b", "a", priority=1)], []),
    "low waits for urgent": ([a("a", priority=0), a("b", "a", priority=3)], []),
    "a group has no work": (
        [a("g", executor="", priority=3), a("b", "g", priority=0)],
        [("group_dependency", "b"), ("idle", "g")],
    ),
    "optional and required through another": (
        [a("a"), a("m", "a"), a("b", "m", optional("a"))],
        [("useless_optional", "b")],
    ),
    "optional through optional": ([a("a"), a("m", optional("a")), a("b", "m", optional("a"))], []),
    "draft": ([a("a", executor="", inputs=["x"])], [("draft", "a")]),
    "draft by params": ([a("a", executor="", has_params=True)], [("draft", "a")]),
    "empty group": ([a("r", executor=""), a("a", executor="", parent="r")], [("idle", "a")]),
    "unknown executor": ([a("a", executor="nop")], [("unknown_executor", "a")]),
    "missing input": ([a("a", executor="http")], [("missing_input", "a")]),
    "declared input": ([a("a", executor="http", inputs=["url"])], []),
    "mapped input": ([a("s"), a("a", LintEdge("s", map={"url": "x.y"}), executor="http")], []),
    "named input": ([a("s"), a("a", LintEdge("s", as_key="url"), executor="http")], []),
    "results do not flow into http": ([a("s"), a("a", "s", executor="http")], [("missing_input", "a")]),
    "a result may bring it": ([a("s", executor="open"), a("a", "s", executor="pure")], []),
    "a result that lacks it": (
        [a("s", executor="pure", inputs=["x"]), a("a", "s", executor="pure")],
        [("missing_input", "a")],
    ),
    "own schema": ([a("a", required=frozenset({"k"}))], [("missing_input", "a")]),
    "waits for a folder": (
        [a("r", executor=""), a("g", executor="", parent="r"), a("in", parent="g"), a("b", "g", parent="r")],
        [("group_dependency", "b")],
    ),
    "waits for a barrier": ([a("a"), a("g", "a", executor=""), a("b", "g")], []),
    "result of a group": (
        [a("a"), a("g", "a", executor=""), a("b", LintEdge("g", as_key="k"))],
        [("group_dependency", "b")],
    ),
}


@pytest.mark.parametrize(("tasks", "expected"), CASES.values(), ids=CASES.keys())
def test_rule(tasks, expected):
    assert found(*tasks) == expected


def test_names():
    same = [LintTask("1", "a", executor="noop"), LintTask("2", "a", executor="noop")]
    assert found(*same) == [("duplicate_name", "1")]
    assert found(LintTask("1", " ", executor="noop")) == [("name", "1")]


def test_a_cycle_is_named_in_order_with_a_remedy():
    (cycle,) = lint([a("a", "c"), a("b", "a"), a("c", "b")], KNOWN)
    assert cycle.message == "dependencies form a cycle: a waits for c waits for b waits for a"
    assert cycle.tasks == ("a", "c", "b")
    assert cycle.severity == Severity.ERROR
    assert "remove" in cycle.remedy


def test_errors_come_first_and_everything_has_a_remedy():
    tasks = [a("d", executor="", inputs=["x"]), a("u", executor="htp"), a("e", executor="")]
    findings = lint(tasks, KNOWN)
    assert [one.severity for one in findings] == [Severity.ERROR, Severity.WARNING, Severity.HINT]
    assert all(one.remedy for one in findings)
    assert "http" in findings[0].remedy


def test_ten_thousand_tasks_take_no_more_than_seconds():
    tasks = [a("t0")]
    for number in range(1, 10_000):
        tasks.append(a(f"t{number}", f"t{number - 1}", optional(f"t{number // 2}")))
    start = time.process_time()
    lint(tasks, KNOWN)
    assert time.process_time() - start < 10
