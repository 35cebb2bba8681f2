from __future__ import annotations

import pytest

from orchestration.domain.progression import is_handled
from orchestration.domain.states import Kind
from tests.domain.support import Play, run_of

FAN_IN = {"a": "", "b": "", "d": "a b"}


@pytest.mark.parametrize(
    ("edges", "done", "states", "ready", "ends"),
    [
        ({"a": ""}, "", "a=pending", "a", ""),
        ({"a": "", "b": "a"}, "a", "a=completed b=pending", "b", ""),
        ({"a": "", "b": "a"}, "a b", "a=completed b=completed", "", "completed"),
        (FAN_IN, "a", "a=completed b=pending d=pending", "b", ""),
        (FAN_IN, "a b", "a=completed b=completed d=pending", "d", ""),
        # required: blocked, and so is everything behind
        ({"a": "", "b": "a", "c": "b", "d": "c"}, "a!", "a=failed b=blocked c=blocked d=blocked", "", "failed"),
        ({"a": "", "b": "a"}, "a~", "a=cancelled b=blocked", "", "failed"),
        (FAN_IN, "a!", "a=failed b=pending d=blocked", "b", ""),
        (FAN_IN, "a! b", "a=failed b=completed d=blocked", "", "failed"),
        # optional: runs whatever happened, but not before
        ({"a": "", "b": "a?"}, "", "a=pending b=pending", "a", ""),
        ({"a": "", "b": "a?"}, "a!", "a=failed b=pending", "b", ""),
        ({"a": "", "b": "a?"}, "a! b", "a=failed b=completed", "", "completed"),
        ({"a": "", "b": "a?"}, "a~ b", "a=cancelled b=completed", "", "failed"),
        ({"a": "", "b": "a", "c": "b?"}, "a!", "a=failed b=blocked c=pending", "c", ""),
        ({"a": "", "b": "a", "c": "b?"}, "a! c", "a=failed b=blocked c=completed", "", "failed"),
        ({"a": "", "b": "", "c": "a? b"}, "a!", "a=failed b=pending c=pending", "b", ""),
        ({"a": "", "b": "", "c": "a? b"}, "b! a", "a=completed b=failed c=blocked", "", "failed"),
        # handled: all that wait for it do so optionally
        ({"a": "", "b": "a?", "c": "a"}, "a! b", "a=failed b=completed c=blocked", "", "failed"),
        ({"a": "", "b": "a?", "c": "a?"}, "a! b c", "a=failed b=completed c=completed", "", "completed"),
        ({"a": "", "b": "a?"}, "a! b!", "a=failed b=failed", "", "failed"),
        ({"a": ""}, "a!", "a=failed", "", "failed"),
    ],
)
def test_who_may_run_who_is_blocked_and_how_it_ends(edges, done, states, ready, ends):
    play = Play(run_of(edges)).do(done)
    assert play.states == dict(word.split("=") for word in states.split())
    assert play.startable == ready.split()
    assert str(play.run.status) == (ends or "in_progress")
    assert (play.events[-1].kind in (Kind.RUN_COMPLETED, Kind.RUN_FAILED)) == bool(ends)


@pytest.mark.parametrize(
    ("edges", "groups", "done", "states", "ends"),
    [
        ({"g": ""}, "g", "", "g=completed", "completed"),
        ({"a": "", "g": "a", "b": "g"}, "g", "a", "a=completed g=completed b=pending", ""),
        ({"a": "", "g": "a", "b": "g"}, "g", "a!", "a=failed g=blocked b=blocked", "failed"),
        ({"a": "", "g": "a?", "h": "g"}, "g h", "a!", "a=failed g=completed h=completed", "completed"),
    ],
)
def test_groups_complete_as_soon_as_they_may(edges, groups, done, states, ends):
    play = Play(run_of(edges, groups=groups.split())).do(done)
    assert play.states == dict(word.split("=") for word in states.split())
    assert str(play.run.status) == (ends or "in_progress")


def test_blocked_names_the_task_that_is_in_the_way():
    play = Play(run_of({"a": "", "b": "a", "c": "b"})).do("a!")
    told = [(e.task_id, e.data["blocked_by"]) for e in play.events if e.kind == Kind.TASK_BLOCKED]
    assert told == [("b", "a"), ("c", "b")]


def test_handled_needs_somebody_who_waits():
    run = run_of({"a": "", "b": "a?", "c": ""})
    assert is_handled(run.tasks["a"])
    assert not is_handled(run.tasks["c"])


@pytest.mark.parametrize(
    ("status", "required", "state"),
    [
        ("completed", True, "pending"),
        ("completed", False, "pending"),
        ("failed", True, "blocked"),
        ("failed", False, "pending"),
        ("cancelled", True, "blocked"),
        ("pending", True, "blocked"),
        ("pending", False, "pending"),
    ],
)
def test_what_is_outside_the_scope_counts_as_it_is(status, required, state):
    edges = {"old": "", "new": "old" if required else "old?"}
    run = run_of(edges, old={"in_scope": False, "status": status})
    play = Play(run)
    assert play.states == {"new": state}
    assert play.startable == (["new"] if state == "pending" else [])


def test_deriving_again_changes_nothing():
    play = Play(run_of({"a": "", "g": "", "b": "a g", "c": "b?"}, groups=["g"])).do("a!")
    before = (play.states, len(play.events), play.run.seq, dict(play.run.counts))
    play.run.derive(play.tick())
    play.collect()
    assert (play.states, len(play.events), play.run.seq, dict(play.run.counts)) == before


SIZE = 10_000
SHAPES = {
    "chain": {str(n): [str(n - 1)] if n else [] for n in range(SIZE)},
    "fan out": {str(n): ["0"] if n else [] for n in range(SIZE)},
    "fan in": {str(n): [str(k) for k in range(SIZE - 1)] if n == SIZE - 1 else [] for n in range(SIZE)},
    "last first": {str(n): [str(n + 1)] if n < SIZE - 1 else [] for n in range(SIZE)},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_ten_thousand_groups_complete_without_recursion(shape):
    play = Play(run_of(SHAPES[shape], groups=SHAPES[shape]))
    assert play.run.status == "completed"
    assert [e.seq for e in play.events] == list(range(2, SIZE + 3))


@pytest.mark.parametrize("shape", ["chain", "fan out"])
def test_a_failure_blocks_ten_thousand_without_recursion(shape):
    play = Play(run_of(SHAPES[shape])).do("0!")
    assert play.run.counts["blocked"] == SIZE - 1
    assert play.run.status == "failed"


def test_ten_thousand_are_cancelled_at_once():
    play = Play(run_of(SHAPES["chain"]))
    play.run.cancel_run("no", play.tick())
    assert play.run.status == "cancelled"
    assert play.run.counts["cancelled"] == SIZE
