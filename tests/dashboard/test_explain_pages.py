"""Root causes, tabs of a run, why a task waits, forecasts: what the pages say, to whom, at what cost."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestration.domain.states import Kind, Status
from orchestration.models import Event, Task
from tests.dashboard.conftest import signed_in
from tests.dashboard.rows import end_run, end_task, start
from tests.factories import make_tree, make_user, task, task_named

HTMX = {"HX-Request": "true"}
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7|add:7 }}", "</hx-partial><b>x</b>"]
RUN_TABS = ("", "/events", "/events?only=problems&before=3", "/data", "/compare", "/rerun")
TREE_PAGES = ("", "/dry-run", "/start", "/copy", "/link", "/archive", "/mixed", "/delete")
TASK_PAGES = ("", "/panel", "/cancel", "/edit")


def text(response):
    return response.content.decode()


def fail(tree, error="disk full"):
    run = start(tree)
    load, send = task_named(tree, "load"), task_named(tree, "send")
    end_task(run, load, Status.FAILED, error=error, traceback=error, log=error)
    run.refresh_from_db()
    type(run).objects.filter(pk=run.pk).update(blocked=1, seq=run.seq + 1)
    Task.objects.filter(pk=send.pk).update(blocked_by=load, ready_at=None)
    Event.objects.create(
        run=run, seq=run.seq + 1, kind=Kind.TASK_BLOCKED, task_id=send.pk, at=run.started_at,
        data={"blocked_by": load.pk.hex},
    )  # fmt: skip
    return end_run(run, Status.FAILED)


def test_a_failed_run_opens_on_its_root_cause(clients, tree):
    run = fail(tree)
    page = text(clients["ann"].get(f"/runs/{run.pk}"))
    assert "What went wrong" in page
    assert "1 task did not run because of this: send" in page
    assert "Re-run from here" in page
    assert "Re-run from here" not in text(clients["bob"].get(f"/runs/{run.pk}"))


def test_a_failed_run_points_to_the_last_good_one(clients, tree):
    good = start(tree)
    for name in ("Report", "load", "send"):
        end_task(good, task_named(tree, name))
    end_run(good, Status.COMPLETED)
    run = fail(tree)
    page = text(clients["ann"].get(f"/runs/{run.pk}"))
    assert f"/runs/{good.pk}/compare/{run.pk}" in page
    assert clients["ann"].get(f"/runs/{run.pk}/compare").headers["Location"] == f"/runs/{good.pk}/compare/{run.pk}"
    assert "ended failed instead of completed" in text(clients["ann"].get(f"/runs/{good.pk}/compare/{run.pk}"))


def test_events_are_told_in_words(clients, tree):
    run = fail(tree)
    page = text(clients["ann"].get(f"/runs/{run.pk}/events"))
    assert "Run 1 started by ann" in page
    assert "failed" in page
    assert "will not run: it needs “load”" in page
    part = text(clients["ann"].get(f"/runs/{run.pk}/events", headers=HTMX))
    assert part.lstrip().startswith('<section class="panel" id="feed"')


def test_events_are_paged_by_number(clients, tree):
    run = start(tree)
    run.refresh_from_db()
    first = run.seq
    Event.objects.bulk_create(
        Event(run=run, seq=first + n, kind=Kind.TASK_PROGRESS, task=task_named(tree, "load"), at=run.started_at)
        for n in range(1, 151)
    )
    page = clients["ann"].get(f"/runs/{run.pk}/events")
    older = page.context["feed"].older_url
    assert page.context["feed"].lines[0].seq == first + 150
    assert clients["ann"].get(older).context["feed"].lines[0].seq == first + 50


def test_inputs_and_results_are_shown_with_their_origin(clients, tree):
    run = start(tree)
    load = task_named(tree, "load")
    origin = {"rows": {"source": "dependency", "task": load.pk.hex, "path": "count"}}
    end_task(run, load, executor="noop", result={"count": 96})
    end_task(run, task_named(tree, "send"), executor="noop", inputs={"rows": 96}, provenance=origin, result=None)
    page = text(clients["ann"].get(f"/runs/{run.pk}/data"))
    assert "from “load” → result.count" in page
    assert "&quot;count&quot;: 96" in page


def test_a_blocked_task_says_why_and_offers_the_remedy(clients, tree):
    fail(tree)
    send = task_named(tree, "send")
    page = text(clients["ann"].get(f"/tasks/{send.pk}"))
    assert "Why it will not run" in page
    assert 'class="chain"' in page
    assert f"/trees/{tree.pk}/start?task={task_named(tree, 'load').pk}&amp;mode=from" in page
    assert "mode=from" not in text(clients["bob"].get(f"/tasks/{send.pk}"))


def test_a_waiting_task_says_for_what(clients, tree):
    start(tree)
    assert "Why it waits" in text(clients["ann"].get(f"/tasks/{task_named(tree, 'send').pk}"))


def test_a_forecast_says_what_is_not_known(clients, tree):
    page = text(clients["bob"].get(f"/trees/{tree.pk}/dry-run"))
    assert "not known yet" in page
    assert "No task has ever completed" in page
    assert "Plan this run" not in page


def test_the_matrix_shows_each_run(clients, tree):
    fail(tree)
    start(tree)
    rows = {row.line.name: row for row in clients["ann"].get(f"/trees/{tree.pk}").context["rows"]}
    assert [cell.state.word for cell in rows["load"].cells] == ["failed", "waiting"]
    assert [cell.state.word for cell in rows["send"].cells] == ["blocked", "waiting"]


def test_nobody_runs_what_is_only_shared_for_viewing(clients, tree):
    run = fail(tree)
    for url in (f"/runs/{run.pk}", f"/trees/{tree.pk}", f"/tasks/{task_named(tree, 'load').pk}"):
        page = text(clients["bob"].get(url))
        assert "/rerun" not in page
        assert "Run from here" not in page
        assert f'action="/trees/{tree.pk}/run"' not in page


@pytest.mark.parametrize(("who", "status"), [("ann", 200), ("bob", 200), ("eve", 404), ("nobody", 302)])
def test_a_tab_opens_for_members_only(clients, tree, who, status):
    run = fail(tree)
    for tab in ("/events", "/data", "/compare"):
        assert clients[who].get(f"/runs/{run.pk}{tab}").status_code == status
    assert clients[who].get(f"/trees/{tree.pk}/dry-run").status_code == status
    panel = clients[who].get(f"/tasks/{task_named(tree, 'load').pk}/panel", headers=HTMX)
    assert panel.status_code == status


@pytest.mark.django_db
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_text(name):
    tree = make_tree(
        task(name, executor=""), task("load", inputs={name: name}), task("send", after=["load"]), owner=make_user("ann")
    )
    client = signed_in(make_user("ann"))
    first, second = fail(tree, error=name), fail(tree, error=name)
    Task.objects.filter(tree=tree, name="send").update(name=f"{name} 2")
    tasks = [f"/tasks/{pk}" for pk in tree.tasks.values_list("pk", flat=True)]
    urls = [f"/runs/{second.pk}{tab}" for tab in RUN_TABS] + [f"/trees/{tree.pk}{page}" for page in TREE_PAGES]
    urls += [url + page for url in tasks for page in TASK_PAGES] + [f"/runs/{first.pk}/compare/{second.pk}", "/queue/"]
    for url in urls:
        for headers in ({}, HTMX):
            response = client.get(url, headers=headers)
            assert response.status_code in {200, 302}, url
            page = text(response)
            for harm in ("<script>alert", "<img src=x", "<b>x</b>", ">14<", " style=", "<style", "hx-on"):
                assert harm not in page, (url, harm)


def queries(client, url):
    client.get(url)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def wide(count):
    tree = make_tree(
        task("Root", executor=""), task("load"), task("send", after=["load"]),
        *[task(f"t{i}", after=["load"]) for i in range(count)], owner=make_user("ann"),
    )  # fmt: skip
    end = start(tree)
    for one in tree.tasks.all():
        end_task(end, one, executor="noop", inputs={"a": 1})
    end_run(end, Status.COMPLETED)
    return tree, fail(tree)


@pytest.mark.django_db
def test_pages_cost_the_same_for_many_tasks():
    client = signed_in(make_user("ann"))
    counts = []
    for size in (2, 30):
        tree, run = wide(size)
        load = task_named(tree, "load").pk
        urls = [f"/runs/{run.pk}{tab}" for tab in ("", "/events", "/data", "/rerun")]
        urls += [f"/trees/{tree.pk}{page}" for page in TREE_PAGES] + [
            f"/tasks/{load}{page}" for page in TASK_PAGES[::2]
        ]
        urls += [f"/runs/{run.pk - 1}/compare/{run.pk}", "/queue/"]
        counts.append([queries(client, url) for url in urls])
    assert counts[0] == counts[1]
    assert max(counts[1]) <= 32
