"""Jobs of several attempts: a worker takes what it has slots for, and others find the rest."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import Work
from orchestration.services.handing_out import MOST, Job, defer, jobs_of
from orchestration.services.picking_up import fetch

pytestmark = pytest.mark.django_db


def keys(count):
    return [(uuid4().hex, number) for number in range(1, count + 1)]


def works(count, priority=0, *, isolated=True):
    return [
        Work(1, uuid4().hex, 1, try_number=1, name="w", executor="noop", inputs={}, params={}, isolated=isolated,
             priority=priority, owner_id=1, max_attempts=1)
        for _ in range(count)
    ]  # fmt: skip


def test_what_does_not_fit_is_put_back_as_it_was():
    first, second, urgent = keys(5), keys(1), keys(1)
    with transaction.atomic():
        defer([Job("q", -2, first), Job("q", -2, second), Job("q", -1, urgent), Job("other", 0, keys(1))])
        assert fetch(["q"], Slots(3, 0)) == urgent + first[:2]
        assert fetch(["q"], Slots(9, 0)) == second + first[2:]
        assert fetch(["q"], Slots(9, 0)) == []
        with connection.cursor() as cursor:
            cursor.execute("SELECT queue_name FROM procrastinate_jobs")
            assert cursor.fetchall() == [("other",)]


def test_each_kind_is_taken_by_its_own_slots_in_one_statement():
    isolated, in_loop, others = keys(4), keys(4), keys(2)
    defer([Job("q", 0, isolated[:3]), Job("q.async", 5, in_loop), Job("q", 3, isolated[3:]), Job("r.async", 9, others)])
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        assert fetch(["q"], Slots(4, 0)) == isolated[3:] + isolated[:3]
    assert len(queries) == 1
    assert fetch(["q"], Slots(4, -1)) == []
    with CaptureQueriesContext(connection) as queries:
        assert fetch(["q", "r"], Slots(-1, 0)) == []
    assert len(queries) == 0
    defer([Job("q", 1, isolated)])
    assert fetch(["q", "r"], Slots(2, 3)) == isolated[:2] + others + in_loop[:1]
    assert fetch(["q", "r"], Slots(9, 9)) == isolated[2:] + in_loop[1:]
    assert fetch(["q", "r"], Slots(9, 9)) == []


def strange(name, args):
    with connection.cursor() as cursor:
        query = "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args) VALUES ('q', %s, 5, %s)"
        cursor.execute(query, [name, args])


def test_jobs_of_others_and_of_nobody_are_taken_off():
    mine = keys(1)
    defer([Job("q", 0, mine)])
    for name, args in (("apflow.attempt", "{}"), ("apflow.attempt", '{"attempts": [["x", 1]]}'), ("else", "{}")):
        strange(name, args)
    assert fetch(["q"], Slots(5, 0)) == mine
    assert fetch(["q"], Slots(5, 0)) == []


def test_not_more_jobs_are_taken_off_than_attempts_are_asked_for():
    for _ in range(5):
        strange("else", "{}")
    assert fetch(["q"], Slots(2, 0)) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs")
        assert cursor.fetchone() == (3,)


def test_few_are_shared_out_and_many_go_together():
    assert [len(job.attempts) for job in jobs_of(works(7), str)] == [1] * 7
    assert [len(job.attempts) for job in jobs_of(works(20), str)] == [5] * 4
    assert {len(job.attempts) for job in jobs_of(works(10 * MOST), str)} == {MOST}
    assert [len(job.attempts) for job in jobs_of(works(3, isolated=False), str)] == [1] * 3
    assert [len(job.attempts) for job in jobs_of(works(20, isolated=False), str)] == [10] * 2
    mixed = [*works(2, 0), *works(1, 0, isolated=False), *works(1, 3)]
    assert [(job.queue, job.priority) for job in jobs_of(mixed, str)] == [
        ("noop", 0), ("noop", 0), ("noop.async", 0), ("noop", -3),
    ]  # fmt: skip
