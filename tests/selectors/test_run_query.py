"""The list of runs reads its rows on different ways and gives the same rows on all of them."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orchestration.domain.states import Status
from orchestration.models import Run, TreeShare
from orchestration.selectors import run_query as ways
from orchestration.selectors.run_query import RunFilter, run_query, runs_matching
from tests.dashboard.rows import end_run, start
from tests.factories import make_tree, make_user, task

pytestmark = pytest.mark.django_db
NAMES = ("nightly import", "nightly report", "Needle %_")


def many_runs():
    """Runs of three people, of all states, some of them days old; ids do not quite rise with their starts."""
    owners = [make_user("ann"), make_user("bob")]
    for place, (owner, name) in enumerate(itertools.product(owners, NAMES)):
        tree = make_tree(task(f"{name} of {owner}"), task("a"), owner=owner)
        for status in (Status.COMPLETED, Status.FAILED, Status.COMPLETED):
            end_run(start(tree), status)
        start(tree)
        Run.objects.filter(tree=tree).update(started_at=timezone.now() - timedelta(hours=(place * 7) % 30))
    TreeShare.objects.create(tree=tree, user=owners[0])
    make_user("eve")
    User.objects.filter(username="eve").update(is_staff=True)


@pytest.mark.parametrize("few", [0, 3, 9, 1000])
def test_every_way_leads_to_the_same_runs(monkeypatch, few):
    monkeypatch.setattr(ways, "FEW", few)
    many_runs()
    seen = 0
    since = timezone.now() - timedelta(hours=10)
    for name, search, state, mine, start_at in itertools.product(
        ("ann", "bob", "eve"),
        ("", "NIGHTLY", "%_", "nothing"),
        ("", "failed", "in_progress"),
        (False, True),
        (None, since),
    ):
        user = User.objects.get(username=name)
        wanted = RunFilter(search=search, state=state, mine=mine, since=start_at)
        expected = list(runs_matching(user, wanted).order_by("-pk"))
        query = run_query(user, wanted)
        assert list(query.newest(100)) == expected, wanted
        assert query.runs.count() == len(expected)
        if len(expected) > 2:
            assert list(query.newest(2, before=expected[0].pk)) == expected[1:3]
        seen += len(expected)
    assert seen > 100


def test_what_it_costs_to_find_the_way_does_not_grow():
    make_user("ann")
    counts = []
    for _ in range(2):
        many_runs()
        with CaptureQueriesContext(connection) as queries:
            list(
                run_query(
                    User.objects.get(username="ann"), RunFilter(search="n", mine=True, since=timezone.now())
                ).newest(5)
            )
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 5
