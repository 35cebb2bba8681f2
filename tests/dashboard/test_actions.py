"""Plans, cancels, edits and settings by plain forms: what they preview, refuse and do."""

from __future__ import annotations

import json

import pytest

from orchestration.domain.states import Status
from orchestration.models import Run, Task, Tree
from tests.dashboard.rows import end_run, end_task, start
from tests.factories import task_named

HTMX = {"HX-Request": "true"}


def text(response):
    return response.content.decode()


@pytest.fixture
def failed(tree):
    run = start(tree)
    end_task(run, task_named(tree, "Report"))
    end_task(run, task_named(tree, "load"), Status.FAILED, error="disk full")
    return end_run(run, Status.FAILED)


def test_the_plan_says_what_runs_and_what_is_reused(clients, failed):
    page = text(clients["ann"].get(f"/runs/{failed.pk}/rerun?mode=failed"))
    assert "Re-run 2 tasks, reuse 1" in page
    assert "its result is reused" in page


@pytest.mark.parametrize("query", ["mode=all", "mode=from", "mode=only&task=x", "mode=nonsense&start=99999", "q=%00"])
def test_any_plan_is_a_page(clients, failed, query):
    assert clients["ann"].get(f"/runs/{failed.pk}/rerun?{query}").status_code == 200


def test_a_run_is_started_with_other_inputs(clients, tree, failed):
    load = task_named(tree, "load")
    data = {"mode": "from", "task": load.pk.hex, f"inputs-{load.pk.hex}": '{"file": "b.csv"}'}
    response = clients["ann"].post(f"/runs/{failed.pk}/rerun", data)
    run = Run.objects.get(tree=tree, number=2)
    assert response.headers["Location"] == run.get_absolute_url()
    assert run.overrides == {str(load.pk): {"inputs": {"file": "b.csv"}}}
    assert run.chosen == [load.pk.hex]


@pytest.mark.parametrize("inputs", ["{", "[1]", '{"a": NaN}', "\x00", "nonsense", "[" * 300])
def test_bad_inputs_come_back_at_their_field(clients, tree, failed, inputs):
    load = task_named(tree, "load")
    data = {"mode": "failed", f"inputs-{load.pk.hex}": inputs}
    response = clients["ann"].post(f"/runs/{failed.pk}/rerun", data)
    assert response.status_code == 400
    assert f'id="e-{load.pk.hex}"' in text(response)
    assert Run.objects.filter(tree=tree).count() == 1


def test_a_run_cannot_remove_an_input(clients, tree, failed):
    load = task_named(tree, "load")
    Task.objects.filter(pk=load.pk).update(inputs={"file": "a.csv"})
    response = clients["ann"].post(f"/runs/{failed.pk}/rerun", {"mode": "failed", f"inputs-{load.pk.hex}": "{}"})
    assert response.status_code == 400
    assert "set them to null" in text(response)


def test_the_next_plan_remembers_what_a_run_had_changed(clients, tree, failed):
    load = task_named(tree, "load")
    data = {"mode": "all", f"inputs-{load.pk.hex}": '{"file": "b.csv"}', f"priority-{load.pk.hex}": "0"}
    clients["ann"].post(f"/trees/{tree.pk}/start", data)
    run = Run.objects.get(tree=tree, number=2)
    assert run.overrides == {str(load.pk): {"inputs": {"file": "b.csv"}, "priority": 0}}
    end_run(run, Status.FAILED)
    assert "b.csv" in text(clients["ann"].get(f"/runs/{run.pk}/rerun?mode=all"))


def test_a_plan_is_refused_in_words_while_a_run_is_active(clients, tree):
    run = start(tree)
    page = text(clients["ann"].get(f"/runs/{run.pk}/rerun"))
    assert "Run 1 is active" in page
    assert 'class="btn btn-primary"' not in page


@pytest.mark.parametrize(("who", "status"), [("carla", 200), ("bob", 403), ("eve", 404), ("nobody", 302)])
def test_a_plan_is_for_those_who_may_run(clients, tree, failed, who, status):
    for url in (f"/runs/{failed.pk}/rerun", f"/trees/{tree.pk}/start", f"/runs/{failed.pk}/cancel"):
        assert clients[who].get(url).status_code == status


def test_a_cancel_names_what_it_stops(clients, tree):
    run = start(tree)
    for headers in ({}, HTMX):
        page = text(clients["ann"].get(f"/runs/{run.pk}/cancel", headers=headers))
        assert "waiting, will never start" in page
        assert "load" in page


def test_cancelling_a_task_names_what_it_blocks(clients, tree):
    start(tree)
    page = text(clients["ann"].get(f"/tasks/{task_named(tree, 'load').pk}/cancel"))
    assert "1 task will not run" in page
    assert "send" in page


def test_a_subtree_is_cancelled(clients, tree):
    start(tree)
    root = task_named(tree, "Report")
    page = text(clients["ann"].get(f"/tasks/{root.pk}/cancel?subtree=1"))
    assert "everything under it" in page
    clients["ann"].post(f"/tasks/{root.pk}/cancel", {"subtree": "1", "reason": "wrong"})
    assert set(tree.tasks.values_list("status", flat=True)) == {"cancelled"}


def test_a_task_is_edited(clients, tree):
    load = task_named(tree, "load")
    page = clients["ann"].get(f"/tasks/{load.pk}/edit")
    texts = page.context["texts"] | {"name": "fetch", "inputs": '{"a": 1}', "timeout_s": "5"}
    assert clients["ann"].post(f"/tasks/{load.pk}/edit", texts).status_code == 302
    load.refresh_from_db()
    assert (load.name, load.inputs, load.timeout_s) == ("fetch", {"a": 1}, 5.0)


def test_a_late_edit_shows_what_differs_and_keeps_the_texts(clients, tree):
    load = task_named(tree, "load")
    texts = clients["ann"].get(f"/tasks/{load.pk}/edit").context["texts"]
    clients["ann"].post(f"/tasks/{load.pk}/edit", texts | {"name": "fetch"})
    late = clients["ann"].post(f"/tasks/{load.pk}/edit", texts | {"name": "grab"})
    assert late.status_code == 409
    assert "What differs now" in text(late)
    assert "fetch" in text(late)
    again = clients["ann"].post(f"/tasks/{load.pk}/edit", late.context["texts"])
    assert again.status_code == 302
    load.refresh_from_db()
    assert load.name == "grab"


@pytest.mark.parametrize(("key", "value"), [("inputs", "{"), ("name", ""), ("timeout_s", "soon"), ("priority", "9")])
def test_a_bad_edit_comes_back_with_its_text(clients, tree, key, value):
    load = task_named(tree, "load")
    texts = clients["ann"].get(f"/tasks/{load.pk}/edit").context["texts"]
    response = clients["ann"].post(f"/tasks/{load.pk}/edit", texts | {key: value})
    assert response.status_code == 400
    assert "field-error" in text(response)


@pytest.mark.parametrize(("who", "status"), [("carla", 403), ("bob", 403), ("eve", 404)])
def test_only_the_owner_edits_and_sets(clients, tree, who, status):
    load = task_named(tree, "load")
    assert clients[who].get(f"/tasks/{load.pk}/edit").status_code == status
    for action in ("rename", "labels", "limit"):
        assert clients[who].post(f"/trees/{tree.pk}/{action}", {"name": "x"}).status_code == status


def test_settings_are_stored(clients, tree):
    clients["ann"].post(f"/trees/{tree.pk}/rename", {"name": "Weekly"})
    clients["ann"].post(f"/trees/{tree.pk}/labels", {"labels": "a, b,"})
    clients["ann"].post(f"/trees/{tree.pk}/limit", {"max_parallel": "3"})
    tree.refresh_from_db()
    assert (tree.name, tree.labels, tree.max_parallel) == ("Weekly", ["a", "b"], 3)
    assert clients["ann"].post(f"/trees/{tree.pk}/limit", {"max_parallel": "-1"}).status_code == 400


def test_a_priority_is_changed_in_the_queue(clients, tree):
    start(tree)
    load = task_named(tree, "load")
    response = clients["ann"].post(f"/tasks/{load.pk}/priority", {"priority": "0", "next": "queue"}, headers=HTMX)
    assert 'id="queue"' in text(response)
    load.refresh_from_db()
    assert load.priority == 0
    assert clients["bob"].post(f"/tasks/{load.pk}/priority", {"priority": "1"}).status_code == 403
    assert clients["ann"].post(f"/tasks/{load.pk}/priority", {"priority": "x"}).status_code == 400


def test_a_delete_says_what_goes(clients, tree, failed):
    page = text(clients["ann"].get(f"/trees/{tree.pk}/delete"))
    assert "3 tasks" in page
    assert "2 attempts" in page


@pytest.mark.parametrize("kind", ["copy", "mixed"])
def test_a_copy_is_previewed_and_made(clients, tree, failed, kind):
    load, report = task_named(tree, "load"), task_named(tree, "Report")
    url = f"/trees/{tree.pk}/{kind}"
    data = {
        "options": "1",
        "task": report.pk.hex,
        "recursive": "1",
        "name": "Second",
        f"inputs-{load.pk.hex}": '{"a": 2}',
    }
    if kind == "mixed":
        Task.objects.filter(tree=tree, name="send").update(executor="noop")
        data["link"] = report.pk.hex
        data.pop("name")
    assert "load" in text(clients["ann"].get(url))
    made = clients["ann"].post(url, data)
    assert made.status_code == 302, text(made)
    copy = Tree.objects.exclude(pk=tree.pk).get()
    assert task_named(copy, "load").inputs == {"a": 2}
    page = text(clients["ann"].get(f"/trees/{copy.pk}"))
    assert 'class="lineage"' in page
    assert 'class="lineage"' in text(clients["ann"].get(f"/trees/{tree.pk}"))


def test_unfinished_work_is_not_linked_or_archived(clients, tree, failed):
    for kind in ("link", "archive"):
        page = clients["ann"].get(f"/trees/{tree.pk}/{kind}")
        assert "unfinished: &#x27;load&#x27;" in text(page)
        assert clients["ann"].post(f"/trees/{tree.pk}/{kind}").status_code == 409
    made = clients["ann"].post(f"/trees/{tree.pk}/archive", {"options": "1", "recursive": "1", "finished": "1"})
    assert made.status_code == 302 or "unfinished" in text(made)


def test_a_link_takes_the_newer_result(clients, tree):
    for _ in range(2):
        run = start(tree)
        for name in ("Report", "load", "send"):
            end_task(run, task_named(tree, name), result={"run": run.number})
        end_run(run, Status.COMPLETED)
        if run.number == 1:
            assert clients["ann"].post(f"/trees/{tree.pk}/link").status_code == 302
    links = Tree.objects.exclude(pk=tree.pk).get()
    link = task_named(links, "load")
    assert "no longer the newest" in text(clients["ann"].get(f"/trees/{links.pk}"))
    assert "A newer result" in text(clients["ann"].get(f"/tasks/{link.pk}"))
    clients["ann"].post(f"/tasks/{link.pk}/move", {"next": "tree"})
    assert json.loads(clients["ann"].get(f"/tasks/{link.pk}").context["view"].result) == {"run": 2}


@pytest.mark.parametrize("kind", ["copy", "link", "archive", "mixed"])
def test_a_stranger_copies_nothing(clients, tree, kind):
    assert clients["eve"].get(f"/trees/{tree.pk}/{kind}").status_code == 404
    assert clients["eve"].post(f"/trees/{tree.pk}/{kind}").status_code == 404
    assert clients["ann"].get(f"/trees/{tree.pk}/{kind}?task=00000000-0000-0000-0000-000000000000").status_code == 404
