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

LISTS = (
    "/", "/trees/?all=1", "/trees/?q=Tree&mine=1", "/trees/?state=completed", "/trees/?label=x", "/runs/?all=1",
    "/runs/?q=Tree", "/runs/?state=in_progress&mine=1&hours=24", "/runs/?state=completed&q=Tree&hours=1", "/queue/",
    "/workers/", "/executors/", "/operations/", "/palette?q=tree", "/me/tokens", "/me/webhooks", "/trees/new",
    "/api/v1/trees/", "/api/v1/trees/?status=completed&ordering=name", "/api/v1/runs/",
    "/api/v1/runs/?status=completed&ordering=started_at", "/api/v1/tasks/?search=a",
    "/api/v1/queue/", "/api/v1/workers/", "/api/v1/executors/", "/api/v1/tokens/", "/api/v1/webhooks/",
)  # fmt: skip
PAGES = (
    "/trees/{run.tree_id}", "/trees/{run.tree_id}/graph", "/trees/{run.tree_id}/start", "/trees/{run.tree_id}/copy",
    "/trees/{run.tree_id}/dry-run", "/trees/{run.tree_id}/export.json", "/runs/{run.pk}", "/runs/{run.pk}?start=3",
    "/runs/{run.pk}?state=completed", "/runs/{run.pk}?q=t", "/runs/{run.pk}/graph", "/runs/{run.pk}/events",
    "/runs/{run.pk}/data", "/runs/{run.pk}/cancel", "/tasks/{task}",
    "/api/v1/trees/{run.tree_id}/", "/api/v1/trees/{run.tree_id}/tasks/", "/api/v1/trees/{run.tree_id}/dependencies/",
    "/api/v1/trees/{run.tree_id}/runs/", "/api/v1/trees/{run.tree_id}/export/", "/api/v1/runs/{run.pk}/",
    "/api/v1/runs/{run.pk}/events/", "/api/v1/runs/{run.pk}/attempts/", "/api/v1/runs/{run.pk}/explain/",
    "/api/v1/tasks/{task}/", "/api/v1/tasks/{task}/attempts/", "/api/v1/tasks/{task}/explain/",
)  # fmt: skip


def queries(client, url):
    client.get(url)  # session and content types
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url).status_code == 200, url
    return len(captured)


def grow(count):
    for i in range(count):
        tree = make_tree(task(f"Tree {i}", executor=""), task("a"), task("b", after=["a"]), owner=make_user("ann"))
        run = start(tree)
        end_task(run, task_named(tree, "a"))
        end_run(run, Status.COMPLETED)
        start(tree)


@pytest.mark.django_db
def test_lists_cost_the_same_for_many_rows():
    client = signed_in(make_user("ann"))
    grow(1)
    few = {url: queries(client, url) for url in LISTS}
    grow(6)
    assert {url: queries(client, url) for url in LISTS} == few
    assert max(few.values()) <= 20


@pytest.mark.django_db
def test_a_tree_costs_the_same_for_many_tasks():
    client = signed_in(make_user("ann"))
    counts = []
    for size in (12, 60):
        chain = [task("t0"), *(task(f"t{i}", after=[f"t{i - 1}"]) for i in range(1, size))]
        tree = make_tree(task(f"Tree {size}", executor=""), *chain, owner=make_user("ann"))
        run = start(tree)
        for number in range(6):  # so that each filter finds finished and waiting tasks at both sizes
            end_task(run, task_named(tree, f"t{number}"))
        one = task_named(tree, f"t{size - 1}").pk
        counts.append({page: queries(client, page.format(run=run, task=one)) for page in PAGES})
    assert counts[0] == counts[1]
    assert max(counts[0].values()) <= 24


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
