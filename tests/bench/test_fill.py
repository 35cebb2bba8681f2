"""The filled database is one that the product itself could have come to: rules hold, and it goes on from there."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import Count, F, Max, Q
from django.test import Client

from dashboard.bench.fill import RARE, fill
from dashboard.bench.large import asks, costs_inside
from orchestration import guards
from orchestration.domain.states import Kind, Status
from orchestration.models import Attempt, Event, Run, Task, Tree
from tests.dashboard.rows import start
from tests.factories import make_tree, task

pytestmark = pytest.mark.django_db
RUNS, EACH = 400, 7


def test_what_is_filled_in_is_whole():
    filled = fill(RUNS, RUNS * EACH)
    assert (filled.runs, filled.events, filled.trees) == (RUNS, RUNS * EACH, 10)
    counts = {model: model.objects.count() for model in (Tree, Task, Run, Attempt, Event)}
    assert counts == {Tree: 10, Task: 50, Run: RUNS, Attempt: RUNS, Event: RUNS * EACH}
    assert guards.missing(connection) == []
    connection.check_constraints()
    trees = Tree.objects.annotate(most=Max("runs__number"), runs_=Count("runs")).exclude(runs_=0)
    assert not trees.exclude(Q(most=F("run_count")) & Q(runs_=F("run_count"))).exists()
    events = Run.objects.annotate(most=Max("events__seq"), number_of=Count("events"))
    assert not events.exclude(Q(most=F("seq")) & Q(number_of=EACH)).exists()
    live = Run.objects.filter(status=Status.IN_PROGRESS)
    assert 0 < live.count() <= 10
    assert Attempt.objects.filter(status=Status.IN_PROGRESS).count() == live.count()
    assert set(live.values_list("tasks__status", flat=True)) == {Status.IN_PROGRESS, Status.PENDING}
    assert Run.objects.filter(tree__name__contains=RARE).count() == 30
    ends = Event.objects.filter(seq=EACH, run__status=Status.FAILED)
    assert set(ends.values_list("kind", flat=True)) == {Kind.RUN_FAILED}


def test_it_goes_on_from_there():
    filled = fill(RUNS, RUNS * EACH)
    run = start(make_tree(task("New"), task("a"), owner=filled.member))
    assert run.pk > RUNS
    assert run.tree_id > filled.trees  # by how much, earlier tests on the same file decide
    assert Event.objects.filter(run=run).exists()


def test_every_address_that_is_measured_can_be_asked_for():
    filled = fill(RUNS, RUNS * EACH)
    every = asks(filled)
    client = Client()
    client.force_login(filled.staff)
    seen = {}
    for ask in every[:: max(1, len(every) // 60)]:
        seen[ask.url] = client.get(ask.url, headers={"HX-Request": "true"} if ask.part else {}).status_code
    assert set(seen.values()) == {200}
    assert len({ask.group for ask in every}) == 13


def test_queries_and_processor_time_of_an_address_are_counted():
    filled = fill(RUNS, RUNS * EACH)
    every = asks(filled)[:3]
    queries, cpu = costs_inside(every, {user.username: user for user in (filled.staff, filled.member, filled.guest)})
    assert min(queries.values()) > 3
    assert min(cpu.values()) > 0
