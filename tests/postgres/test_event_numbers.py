"""Events are numbered 1, 2, 3 ... per run, and whoever follows them by number misses none, while many write.

A global sequence would not do: its numbers are given out in one order and become visible in another.
"""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from orchestration.domain.changes import Changes, EventDraft
from orchestration.domain.ready_queue import Slots
from orchestration.domain.states import Kind
from orchestration.domain.work import Ending, Outcome
from orchestration.models import Event, Run
from orchestration.services import transitions_verbs
from orchestration.services.runs import run_start
from orchestration.services.transitions import Transitions
from orchestration.services.transitions_store import Times, store_events
from tests.factories import make_tree, make_user, task
from tests.services.test_transitions_races import race

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

WRITERS, EACH = 4, 150


def active_run():
    user = make_user()
    tree = make_tree(task("a", executor="simulate"), task("b", executor="simulate"))
    run = run_start(user=user, tree_id=tree.pk)
    engine = Transitions("w", lease_s=15, recovery_limit=3)
    works = engine.apply([], Slots(0, 1)).works
    return run, engine, works[0]


def numbered_by_the_row(run, number):
    with transaction.atomic():
        transitions_verbs.note(run.pk, Kind.TASK_CHANGED, {"number": number})


def numbered_by_a_sequence(run, number):
    """As a table's own counter would do it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT nextval('t_events')")
        draft = EventDraft(cursor.fetchone()[0], Kind.TASK_CHANGED, None, None, run.started_at, {"number": number})
        store_events(cursor, [(run.pk, Changes(events=[draft]))], Times())


def seen_by_a_reader(run_id, ended):
    """Numbers, in the order in which they were read after the one before."""
    seen, last = [], 0
    while True:
        was_over = ended.is_set()
        for seq in Event.objects.filter(run=run_id, seq__gt=last).order_by("seq").values_list("seq", flat=True):
            seen.append(seq)
            last = seq
        if was_over:
            return seen


def many_write(run, write, engine=None, work=None):
    """What a reader saw meanwhile."""
    ended, left = threading.Event(), [WRITERS]
    lock = threading.Lock()

    def person():
        try:
            for number in range(EACH):
                write(run, number)
        finally:
            over()

    def working():
        try:
            for number in range(EACH):
                report = Outcome(work.run_id, work.task_id, work.attempt, Ending.PROGRESS, progress=number / EACH)
                engine.apply([report], Slots())
        finally:
            over()

    def over():
        with lock:
            left[0] -= 1
            if not left[0]:
                ended.set()

    writers = [person] * (WRITERS - 1) + [working if engine else person]
    *answers, seen = race(*writers, lambda: seen_by_a_reader(run.pk, ended))
    assert answers == [None] * WRITERS, answers
    return seen


def test_no_number_is_missed_or_given_twice():
    run, engine, work = active_run()
    seen = many_write(run, numbered_by_the_row, engine, work)
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) > (WRITERS - 1) * EACH
    assert Run.objects.get(pk=run.pk).seq == len(seen) == Event.objects.filter(run=run).count()


def test_a_sequence_would_be_found():
    run, *_ = active_run()
    first = Run.objects.get(pk=run.pk).seq + 1
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SEQUENCE t_events START {first} CACHE 1")
    try:
        missed = 0
        for _ in range(5):
            seen = many_write(run, numbered_by_a_sequence)
            missed += len(seen) < Event.objects.filter(run=run).count()
        assert missed
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP SEQUENCE t_events")
