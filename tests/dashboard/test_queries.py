"""The number of queries of a page does not grow with what it shows."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.contexts import insight
from orchestration.domain.states import Status
from tests.dashboard.conftest import signed_in
from tests.dashboard.rows import end_run, end_task, start
from tests.factories import make_tree, make_user, task, task_named


def queries(client, url):
    client.get(url)  # session and content types
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def grow(count):
    for i in range(count):
        tree = make_tree(task(f"Tree {i}", executor=""), task("a"), task("b", after=["a"]), owner=make_user("ann"))
        run = start(tree)
        end_task(run, task_named(tree, "a"))
        end_run(run, Status.COMPLETED)
        start(tree)


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["/", "/trees/", "/runs/", "/queue/", "/workers/"])
def test_lists_cost_the_same_for_many_rows(url):
    client = signed_in(make_user("ann"))
    grow(1)
    few = queries(client, url)
    grow(6)
    assert queries(client, url) == few <= 20


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/trees/{0.tree_id}", "/runs/{0.pk}"])
def test_a_tree_costs_the_same_for_many_tasks(page):
    client = signed_in(make_user("ann"))
    counts = []
    for size in (5, 60):
        chain = [task("t0"), *(task(f"t{i}", after=[f"t{i - 1}"]) for i in range(1, size))]
        run = start(make_tree(task(f"Tree {size}", executor=""), *chain, owner=make_user("ann")))
        counts.append(queries(client, page.format(run)))
    assert counts[0] == counts[1] <= 20


@pytest.mark.django_db
def test_a_run_of_thousands_is_shown_in_windows():
    client = signed_in(make_user("ann"))
    run = start(make_tree(task("Big", executor=""), *(task(f"t{i}") for i in range(1200)), owner=make_user("ann")))
    first = client.get(f"/runs/{run.pk}").content.decode()
    assert first.count('<tr role="row"') == 200
    assert "start=200" in first
    last = client.get(f"/runs/{run.pk}?start=1100").content.decode()
    assert last.count('<tr role="row"') == 101
    assert "previous tasks" in last
    assert "next tasks" not in last


@pytest.mark.django_db
def test_the_page_of_a_large_run_does_not_wait_for_its_explanation(monkeypatch):
    monkeypatch.setattr(insight, "LARGE", 2)
    client = signed_in(make_user("ann"))
    run = start(make_tree(task("Big", executor=""), task("a"), task("b", after=["a"]), owner=make_user("ann")))
    end_task(run, task_named(run.tree, "a"), Status.FAILED, error="no disk")
    end_run(run, Status.FAILED)
    page = client.get(f"/runs/{run.pk}").content.decode()
    assert "What went wrong" not in page
    assert "?why=1" in page
    assert "What went wrong" in client.get(f"/runs/{run.pk}", headers={"HX-Request": "true"}).content.decode()
    assert "What went wrong" in client.get(f"/runs/{run.pk}").content.decode()  # it is known by now
