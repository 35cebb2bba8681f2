"""Two required dependencies end at the same moment, in two connections: the task that waits for both becomes ready.

On READ COMMITTED each of two transactions that asks "are all done?" sees the other's as not done yet. What keeps that
from happening: the run's row is locked first (services/locking.py), its number is compared, and no event has a number
twice. Each is taken away below, to show that this test would find it.
"""

from __future__ import annotations

import os

import pytest
from django.db import DatabaseError, connection

from orchestration.domain.ready_queue import Slots
from orchestration.services import transitions, transitions_bulk, transitions_store
from orchestration.services.runs import run_start
from orchestration.services.transitions import Transitions
from orchestration.services.transitions_load import StaleState
from tests.factories import make_tree, make_user, task, task_named
from tests.services.test_transitions_races import completed, race
from tests.support_fold import verify

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "150"))
MUTANT_ROUNDS = 60
FORGET = (
    "ALTER TABLE orchestration_task DISABLE TRIGGER USER",
    "ALTER TABLE orchestration_run DISABLE TRIGGER USER",
    "UPDATE orchestration_task SET status = 'pending', run_id = NULL, attempt = attempt + 9",
    "UPDATE orchestration_attempt SET status = 'cancelled', completed_at = now() WHERE status = 'in_progress'",
    "UPDATE orchestration_run SET status = 'cancelled', seq = seq + 99, completed_at = now()",
    "ALTER TABLE orchestration_task ENABLE TRIGGER USER",
    "ALTER TABLE orchestration_run ENABLE TRIGGER USER",
)


class Rounds:
    """The same run again and again, by two engines that both know it."""

    def __init__(self):
        self.user = make_user()
        names = ["left", "right"]
        self.tree = make_tree(*(task(n, executor="simulate") for n in names), task("join", after=names))
        self.engines = [Transitions(name, lease_s=15, recovery_limit=3) for name in ("one", "two")]

    def play(self):
        """What the two answered; the dependencies ended at the same moment."""
        one, two = self.engines
        self.run = run_start(user=self.user, tree_id=self.tree.pk)
        left, right = one.apply([], Slots(0, 2)).works
        two.apply([], Slots())
        return race(lambda: one.apply(completed(left), Slots()), lambda: two.apply(completed(right), Slots()))

    def is_ready(self):
        return task_named(self.tree, "join").ready_at is not None

    def finish(self):
        one, two = self.engines
        started = [*one.apply([], Slots(0, 1)).works, *two.apply([], Slots(0, 1)).works]
        assert len(started) == 1, "it starts once"
        one.apply(completed(started[0]), Slots())
        self.run.refresh_from_db()
        assert self.run.status == "completed"
        verify(self.run.pk)

    def abandon(self):
        for engine in self.engines:
            engine.reset()
        with connection.cursor() as cursor:
            for statement in FORGET:
                cursor.execute(statement)


@pytest.mark.fault
def test_nobody_waits_for_ever():
    rounds = Rounds()
    for number in range(ROUNDS):
        answers = rounds.play()
        assert not any(isinstance(answer, Exception) for answer in answers), answers
        assert rounds.is_ready(), f"lost wake-up in round {number}"
        rounds.finish()


def without_the_lock(monkeypatch):
    unlocked = transitions.LOCK_ACTIVE.removesuffix(" FOR NO KEY UPDATE")
    assert unlocked != transitions.LOCK_ACTIVE
    monkeypatch.setattr(transitions, "LOCK_ACTIVE", unlocked)


def without_the_number(monkeypatch):
    without_the_lock(monkeypatch)
    unguarded = transitions_bulk.RUNS.removesuffix(" AND r.seq = v.was")
    assert unguarded != transitions_bulk.RUNS
    monkeypatch.setattr(transitions_bulk, "RUNS", unguarded)


def without_anything(monkeypatch):
    without_the_number(monkeypatch)
    monkeypatch.setattr(transitions_store, "store_events", lambda *args: None)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("mutate", "silent"), [(without_the_lock, False), (without_the_number, False), (without_anything, True)]
)
def test_it_would_be_found(monkeypatch, mutate, silent):
    mutate(monkeypatch)
    rounds, errors, lost = Rounds(), 0, 0
    for _ in range(MUTANT_ROUNDS):
        answers = rounds.play()
        errors += any(isinstance(answer, DatabaseError | StaleState) for answer in answers)
        lost += not rounds.is_ready()
        rounds.abandon()
    assert lost, "the race was never close"
    assert bool(errors) != silent, "one of two steps is refused, unless nothing at all stands guard"
