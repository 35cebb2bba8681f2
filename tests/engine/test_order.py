from __future__ import annotations

from datetime import timedelta

import pytest

from orchestration.domain.ready_queue import ReadyQueue, Rules, Slots
from tests.domain.support import START, run_of


def queue_of(names, *, rules=None, max_parallel=0, valid=lambda _: True, **more):
    """A queue and its run; task number n has been ready for n seconds less than the first, unless told otherwise."""
    run = run_of(dict.fromkeys(names, ""), **more)
    run.max_parallel = max_parallel
    queue = ReadyQueue(rules or Rules(), valid)
    for place, task in enumerate(run.tasks.values()):
        task.isolated = False
        task.ready_at = task.ready_at or START + timedelta(seconds=place)
        queue.push(run, task)
    return queue, run


def picked(queue, slots, running=lambda _: 0):
    return [task.id for _, task in queue.pick(Slots(0, slots), running)]


def test_priority_first_then_who_is_ready_longest():
    queue, _ = queue_of("abcd", a={"priority": 3}, c={"priority": 0}, d={"priority": 0, "ready_at": START})
    assert picked(queue, 9) == ["d", "c", "b", "a"]


def test_no_more_than_there_are_slots_and_the_rest_stays():
    queue, _ = queue_of("abc")
    assert picked(queue, 2) == ["a", "b"]
    assert picked(queue, 2) == ["c"]
    assert picked(queue, 2) == []


def test_queued_twice_starts_once():
    queue, run = queue_of("a")
    queue.push(run, run.tasks["a"])
    assert picked(queue, 9) == ["a"]


@pytest.mark.parametrize("change", [{"status": "cancelled"}, {"ready_at": None}, {"ready_at": START + timedelta(9)}])
def test_what_changed_meanwhile_is_passed_over(change):
    queue, run = queue_of("ab")
    for name, value in change.items():
        setattr(run.tasks["a"], name, value)
    assert picked(queue, 1) == ["b"]


def test_nothing_of_a_run_that_was_read_anew():
    assert picked(queue_of("ab", valid=lambda _: False)[0], 9) == []


def test_the_limit_of_an_executor_holds_back_only_its_own_tasks():
    queue, _ = queue_of("abcd", rules=Rules({"slow": 2}), a={"executor": "slow"}, b={"executor": "slow"})
    assert picked(queue, 9, running=lambda _: 1) == ["a", "c", "d"]
    assert picked(queue, 9, running=lambda _: 2) == []
    assert picked(queue, 9) == ["b"]


def test_the_limit_of_a_tree_holds_back_only_its_own_tasks():
    queue, run = queue_of("abc", max_parallel=2)
    other = run_of({"z": ""})
    other.run_id = 2
    other.tasks["z"].isolated, other.tasks["z"].ready_at = False, START + timedelta(hours=1)
    queue.push(other, other.tasks["z"])
    assert picked(queue, 9) == ["a", "b", "z"]
    run.counts["in_progress"] = 2
    assert picked(queue, 9) == []
    run.counts["in_progress"] = 1
    assert picked(queue, 9) == ["c"]


def test_with_ageing_low_priority_cannot_starve():
    old = {"priority": 3, "ready_at": START - timedelta(seconds=100)}
    assert picked(queue_of("ab", a={"priority": 0}, b=old)[0], 1) == ["a"]
    assert picked(queue_of("ab", rules=Rules(ageing_s=60), a={"priority": 0}, b=old)[0], 1) == ["a"]
    assert picked(queue_of("ab", rules=Rules(ageing_s=30), a={"priority": 0}, b=old)[0], 1) == ["b"]


def test_kinds_of_slots_are_counted_apart():
    queue, run = queue_of("ab")
    run.tasks["b"].isolated = True
    queue.push(run, run.tasks["b"])
    assert [t.id for _, t in queue.pick(Slots(1, 0), lambda _: 0)] == ["b"]
    assert [t.id for _, t in queue.pick(Slots(1, 1), lambda _: 0)] == ["a"]
