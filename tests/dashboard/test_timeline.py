"""The timeline of a row, failures that nobody minds, and the API calls beside the buttons."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from orchestration.domain.states import Status
from orchestration.models import Attempt, Run, Task
from tests.dashboard.conftest import signed_in
from tests.dashboard.rows import start
from tests.factories import make_tree, task, task_named


def row(page, found):
    return re.search(rf'<tr role="row" id="t-{found.pk.hex}".*?</tr>', page, re.DOTALL)[0]


@pytest.fixture
def run(db):
    """first took 4 s of 10; flaky could start then, tried at 6 s and at 8 s; lint failed, which nobody minds."""
    tree = make_tree(
        task("Root"), task("Part", executor=""), task("first", parent="Part"), task("flaky", after=["first"]),
        task("lint"), task("report", optional=["lint"]),
    )  # fmt: skip
    run = start(tree)
    zero = run.started_at

    def spend(name, begin, end, status=Status.COMPLETED, **fields):
        """One attempt, which is the last unless it fails with the code "again"."""
        found = task_named(tree, name)
        times = {"started_at": zero + timedelta(seconds=begin), "completed_at": zero + timedelta(seconds=end)}
        Attempt.objects.create(task=found, run=run, number=found.attempt + 1, status=status, **times, **fields)
        ended = {} if fields.get("error_code") == "again" else {"status": status, "error": fields.get("error"), **times}
        Task.objects.filter(pk=found.pk).update(attempt=found.attempt + 1, **ended)

    spend("first", 0, 4)
    spend("flaky", 6, 7, Status.FAILED, error="busy", error_code="again")
    spend("flaky", 8, 10)
    spend("lint", 0, 1, Status.FAILED, error="style is bad")
    spend("report", 1, 2)
    end = {"status": Status.COMPLETED, "completed_at": zero + timedelta(seconds=10)}
    Run.objects.filter(pk=run.pk).update(completed=3, failed=1, **end)
    return Run.objects.get(pk=run.pk)


def test_a_bar_has_its_wait_its_tries_and_its_end(run):
    page = signed_in(run.tree.owner).get(f"/runs/{run.pk}").content.decode()
    flaky = row(page, task_named(run.tree, "flaky"))
    drawn = re.findall(r'<rect class="([\w ]+)"[^>]* x="([\d.]+)" y="1" width="([\d.]+)"', flaky)
    assert [(kind, round(float(x)), round(float(w))) for kind, x, w in drawn] == [
        ("queue", 400, 200), ("try failed", 600, 100), ("completed", 800, 200),
    ]  # fmt: skip
    assert 'title="waited 2.0 s, ran 2.0 s, 2 attempts"' in flaky


def test_a_parent_has_a_bracket_over_what_is_under_it(run):
    page = signed_in(run.tree.owner).get(f"/runs/{run.pk}").content.decode()
    assert 'class="reach"' in row(page, task_named(run.tree, "Part"))
    assert 'd="M0.0 7V1H400.0V7"' in row(page, task_named(run.tree, "Part"))
    assert 'd="M0.0 7V1H1000.0V7"' in row(page, task_named(run.tree, "Root"))


def test_a_failure_that_nobody_minds_is_ignored(run):
    client, lint = signed_in(run.tree.owner), task_named(run.tree, "lint")
    page = client.get(f"/runs/{run.pk}").content.decode()
    assert 'data-state="ignored"' in row(page, lint)
    assert '<b class="num">1</b> ignored' in page
    assert 'data-state="ignored"' in client.get(f"/runs/{run.pk}/graph").content.decode()
    assert '<span class="state s-ignored">ignored</span>' in client.get(f"/tasks/{lint.pk}").content.decode()


def test_pages_show_the_calls_behind_their_buttons(run):
    client, tree = signed_in(run.tree.owner), run.tree_id
    expected = {
        f"/runs/{run.pk}": [f"/api/v1/runs/{run.pk}/retry/"],
        f"/trees/{tree}": ['-X POST -H &quot;Authorization', f"/api/v1/trees/{tree}/runs/"],
        "/trees/?q=Root&state=completed&mine=1": [
            "/api/v1/trees/?status=completed&amp;search=Root&amp;owner=ann", "/api/v1/trees/bulk/",
        ],
        "/runs/?state=failed&hours=24": ["/api/v1/runs/?status=failed&amp;started_since="],
        f"/bulk/trees?action=delete&id={tree}": ["/api/v1/trees/bulk/", f"[{tree}]"],
        "/queue/": ["/api/v1/queue/"],
        f"/runs/{run.pk}/rerun?mode=all": [f"/api/v1/trees/{tree}/runs/"],
    }  # fmt: skip
    for url, calls in expected.items():
        page = client.get(url).content.decode()
        assert [call for call in calls if call not in page] == [], url
