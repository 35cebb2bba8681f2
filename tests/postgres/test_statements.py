"""How many statements a step of the engine takes: as many for many runs and tasks as for one."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import Ending, Outcome
from orchestration.services.runs import run_start
from orchestration.services.transitions import Transitions
from tests.factories import make_tree, make_user, task

pytestmark = pytest.mark.django_db


def completed(work):
    return Outcome(work.run_id, work.task_id, work.attempt, Ending.COMPLETED, result="1")


def test_a_step_of_many_runs_takes_as_many_as_one_of_one():
    user = make_user()
    for _ in range(4):
        pairs = [(task(f"{n}"), task(f"{n} then", after=[f"{n}"])) for n in range(3)]
        run_start(user=user, tree_id=make_tree(*(one for pair in pairs for one in pair), owner=user).pk)
    engine = Transitions("w", lease_s=15, recovery_limit=3)
    works = engine.apply([], Slots(0, 99)).works
    counts = []
    for told in (works[:1], works[1:]):
        with CaptureQueriesContext(connection) as queries:
            assert len(engine.apply([completed(work) for work in told], Slots(0, 99)).works) == len(told)
        counts.append(len(queries))
    assert counts[0] == counts[1]
