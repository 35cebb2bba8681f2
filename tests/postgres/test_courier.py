"""A step of a worker's thread: one transaction for its reports and new jobs, and none when there is neither."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestration.conf import Conf
from orchestration.domain.ready_queue import Rules, Slots
from orchestration.domain.work import Ending, Outcome
from orchestration.engine.courier import Courier
from orchestration.models import Attempt
from orchestration.models.report import Report
from orchestration.services.handing_out import Job, Mailbox, defer
from orchestration.services.picking_up import are_waiting
from orchestration.services.runs import run_start
from orchestration.services.transitions import Transitions
from tests.factories import make_tree, make_user, task

pytestmark = pytest.mark.django_db


class Hands:
    def after(self, _outcomes):
        return Slots(9, 9)


def hand_out(*names):
    """Claim a run of tasks for whoever picks them up."""
    run_start(user=make_user(), tree_id=make_tree(*(task(name) for name in names)).pk)
    mailbox = Mailbox("e", Rules(), hands_out=True)
    Transitions("", lease_s=60, recovery_limit=1, exchange=mailbox).apply([], Hands())


def step(courier):
    """What one step has asked for jobs and transactions; leases and signs of life may be due or not."""
    with CaptureQueriesContext(connection) as queries:
        courier._step()
    return [sql for sql in (q["sql"] for q in queries) if "procrastinate" in sql or sql.startswith("SAVEPOINT")]


def jobs():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs")
        return cursor.fetchone()[0]


@pytest.fixture
def delivered():
    return []


@pytest.fixture
def courier(delivered):
    """One with two slots for tasks in its loop."""
    return Courier("w", Conf(process_slots=0, async_slots=2), (), delivered.append)


def completed(work):
    return Outcome(work.run_id, work.task_id, work.attempt, Ending.COMPLETED, result="1")


def test_with_nothing_to_do_it_only_looks(courier, delivered):
    (look,) = step(courier)
    assert look.startswith("SELECT EXISTS")
    assert delivered == []


def test_a_job_is_found_by_the_look(courier, delivered):
    hand_out("a", "b", "c")
    step(courier)
    (delivery,) = delivered
    assert [work.name for work in delivery.works] == ["a", "b"]
    assert jobs() == 1
    assert step(courier) == []  # no slot is free: no look either
    courier.put(completed(delivery.works[0]))
    step(courier)
    assert [work.name for work in delivered[1].works] == ["c"]
    assert Report.objects.count() == 1
    assert (jobs(), set(Attempt.objects.values_list("worker", flat=True))) == (0, {"w"})


def test_what_was_given_up_is_dropped_though_nothing_is_told(courier, delivered):
    hand_out("a")
    step(courier)
    (work,) = delivered[0].works
    courier.abandon([work.key])
    courier.put(completed(work))
    assert len(step(courier)) == 1
    assert Report.objects.count() == 0
    courier.end()
    assert step(courier) == []  # it takes nothing more


def test_only_jobs_of_a_kind_with_free_slots_count():
    assert not are_waiting(["q"], Slots(1, 1))
    defer([Job("q", 0, [("a" * 32, 1)]), Job("other.async", 0, [("b" * 32, 1)])])
    assert are_waiting(["q"], Slots(1, 0))
    assert are_waiting(["q", "other"], Slots(0, 1))
    assert not are_waiting(["q"], Slots(0, 1))
    assert not are_waiting(["q", "other"], Slots())
