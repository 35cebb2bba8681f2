from __future__ import annotations

import pytest

from orchestration.domain.errors import Conflict, Invalid
from orchestration.domain.rerun import PlanTask, plan
from orchestration.domain.states import Mode


def tree(**tasks):
    """name=("status", "waits for these")"""
    return {
        name: PlanTask(name, status.split()[0], "blocked" in status, "link" in status, awaited.split())
        for name, (status, awaited) in tasks.items()
    }


def runs(mode, tasks, *chosen):
    return "".join(sorted(name for name, decision in plan(mode, chosen, tasks).items() if decision.runs))


MIXED = tree(
    a=("completed", ""),
    b=("failed", "a"),
    c=("pending blocked", "b"),
    d=("completed", "a"),
    e=("cancelled", ""),
    f=("completed", "e"),
)


@pytest.mark.parametrize(
    ("mode", "chosen", "want"),
    [
        (Mode.ALL, "", "abcdef"),
        (Mode.FAILED, "", "bcef"),
        (Mode.FROM, "a", "abcd"),
        (Mode.FROM, "d", "d"),
        (Mode.FROM, "de", "def"),
        (Mode.ONLY, "c", "bc"),
        (Mode.ONLY, "d", "d"),
        (Mode.ONLY, "f", "ef"),
    ],
)
def test_what_each_mode_runs(mode, chosen, want):
    assert runs(mode, MIXED, *chosen) == want


def test_every_decision_says_why():
    told = plan(Mode.FAILED, (), MIXED)
    assert told["b"].why == "is failed"
    assert told["c"].why == "was blocked"
    assert told["f"].why == "downstream"
    assert told["a"].why == "its result is reused"


def test_links_never_run():
    tasks = tree(a=("completed link", ""), b=("completed", "a"))
    assert runs(Mode.ALL, tasks) == "b"
    assert runs(Mode.FROM, tasks, "b") == "b"
    with pytest.raises(Invalid, match="link"):
        plan(Mode.FROM, ["a"], tasks)


@pytest.mark.parametrize("mode", [Mode.FROM, Mode.ONLY])
@pytest.mark.parametrize("chosen", [[], ["zz"]])
def test_a_bad_choice_is_refused(mode, chosen):
    with pytest.raises(Invalid):
        plan(mode, chosen, MIXED)


def test_when_nothing_would_run_that_is_said():
    with pytest.raises(Conflict, match="nothing would run"):
        plan(Mode.FAILED, (), tree(a=("completed", "")))


@pytest.mark.parametrize("mode", list(Mode))
def test_a_chain_of_ten_thousand_is_walked_without_recursion(mode):
    size = 10_000
    tasks = {str(n): PlanTask(str(n), "pending", depends_on=[str(n - 1)] if n else []) for n in range(size)}
    chosen = {Mode.FROM: ["0"], Mode.ONLY: [str(size - 1)]}.get(mode, [])
    assert sum(decision.runs for decision in plan(mode, chosen, tasks).values()) == size


def test_what_requires_something_outside_the_scope_that_did_not_complete_is_shown_as_blocked():
    tasks = {
        "a": PlanTask("a", "failed", name="fetch"),
        "b": PlanTask("b", "pending", depends_on=["a"], requires={"a"}),
        "c": PlanTask("c", "pending", depends_on=["b"], requires={"b"}),
        "d": PlanTask("d", "pending", depends_on=["b"]),
    }
    decisions = plan(Mode.FROM, ["b"], tasks)
    assert not decisions["a"].runs
    assert decisions["b"].blocked
    assert decisions["b"].why == "requires 'fetch', which is outside the scope and has not completed"
    assert decisions["c"].blocked
    assert not decisions["d"].blocked, "an optional dependent runs after a blocked one"
