"""Who has room for what, over workers with different queues, and what the engine counts as taken."""

from __future__ import annotations

import math
import random

import pytest

from orchestration.bench.scale_out import inversions
from orchestration.domain.fleet import Fleet, FleetSeats, Post, Seat
from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import Ending, Outcome

ALL: frozenset[str] = frozenset()


def posts():
    return {"net": Post(Slots(1, 1), frozenset({"net"})), "any": Post(Slots(2, 0), ALL)}


def ended(task_id, ending=Ending.COMPLETED):
    return Outcome(1, task_id, 1, ending)


def test_special_workers_are_counted_first():
    fleet = Fleet(posts())
    assert [fleet.take(True, "net") for _ in range(4)] == ["net", "any", "any", ""]
    assert not fleet.has(True, "net")


def test_a_queue_and_a_kind_of_slot_need_somebody_who_has_both():
    fleet = Fleet(posts())
    assert fleet.has(False, "net")
    assert not fleet.has(False, "default")
    assert fleet.has(True, "default")


def test_the_most_special_is_counted_then_the_one_with_most_room_then_by_name():
    chance = random.Random(1)
    for _ in range(200):
        workers = {
            name: Post(
                Slots(chance.randrange(3), chance.randrange(3)), frozenset(chance.sample("xyz", chance.randrange(3)))
            )
            for name in chance.sample("abcdef", 4)
        }
        isolated, queue = chance.random() < 0.5, chance.choice("xyz")
        able = sorted(
            (len(post.queues) or math.inf, -post.free.process - post.free.asynchronous, name)
            for name, post in workers.items()
            if post.has(isolated, queue)
        )
        before = {name: post.free.copy() for name, post in workers.items()}
        taken = Fleet(workers).take(isolated, queue)
        assert taken == (able[0][-1] if able else "")
        if taken:
            before[taken].take(isolated, queue)
        assert {name: post.free for name, post in workers.items()} == before


def test_a_copy_is_taken_from_alone():
    fleet = Fleet(posts())
    copy = fleet.copy()
    copy.take(False, "net")
    assert fleet.has(False, "net")
    assert not copy.has(False, "net")


def test_what_ends_makes_room_once():
    seats = FleetSeats({"w": Post(Slots(1, 0))})
    seats.settle([], [(("a", 1), True, "default")])
    assert not seats.after([]).has(True, "default")
    assert not seats.after([ended("a", Ending.PROGRESS)]).has(True, "default")
    assert seats.after([ended("a"), ended("a")]).posts["w"].free == Slots(1, 0)
    seats.settle([ended("a")])
    seats.settle([ended("a")])
    assert seats.after([]).posts["w"].free == Slots(1, 0)
    assert ("a", 1) not in seats


def test_the_rows_correct_the_book():
    seats = FleetSeats()
    seats.settle([], [(("gone", 1), True, "default")])
    seats.are({"w": Post(Slots(2, 0))}, {("a", 1): Seat(True, "default", "w"), ("b", 1): Seat(True, "default", "dead")})
    assert not seats.after([]).has(True, "default")  # what a dead worker ran will take a place of another one
    assert seats.after([ended("b")]).has(True, "default")
    assert len(seats) == 2


@pytest.mark.parametrize(
    ("began", "slots", "wrong"),
    [([0, 0, 1, 2], 1, 0), ([1, 0, 0], 2, 0), ([1, 0, 0, 0], 2, 1), ([3, 3, 0, 0], 1, 2), ([], 1, 0)],
)
def test_inversions(began, slots, wrong):
    assert inversions(began, slots) == wrong
