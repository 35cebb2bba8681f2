"""What the pages say."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from orchestration.domain.states import Status
from orchestration.models import Attempt, Run, Tree, Worker
from tests.dashboard.conftest import signed_in
from tests.dashboard.rows import end_run, end_task, start
from tests.factories import make_tree, make_user, task, task_named

HTMX = {"HX-Request": "true"}
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7|add:7 }}", "</hx-partial><b>x</b>"]


def text(response):
    return response.content.decode()


def test_sign_in_and_out(tree):
    client = Client()
    page = client.post("/login/", {"username": "ann", "password": "wrong"})
    assert "do not match" in text(page)
    assert client.post("/login/", {"username": "ann", "password": "secret"}).headers["Location"] == "/"
    assert client.post("/logout/").headers["Location"] == "/login/"


def test_the_first_visit_offers_trees_to_run(clients):
    assert "Start here" in text(clients["ann"].get("/"))


def test_the_overview_puts_failures_first(clients, tree):
    run = start(tree)
    end_task(run, task_named(tree, "load"), Status.FAILED, error="disk full")
    end_run(run, Status.FAILED)
    page = text(clients["ann"].get("/"))
    assert "Needs attention" in page
    assert "disk full" in page


@pytest.mark.django_db
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text(name):
    tree = make_tree(task(name, executor=""), task("load"), owner=make_user("ann"), labels=(name[:40],))
    run = start(tree)
    end_task(run, task_named(tree, "load"), Status.FAILED, error=name, traceback=name, log=name)
    client = signed_in(make_user("ann"))
    load = task_named(tree, "load").pk
    pages = [
        "/",
        "/trees/",
        f"/trees/{tree.pk}",
        "/runs/",
        f"/runs/{run.pk}",
        f"/tasks/{load}",
        f"/trees/{tree.pk}/delete",
    ]
    for url in (*pages, f"/trees/?q={name}&label={name}", f"/runs/{run.pk}?q={name}"):
        for headers in ({}, HTMX):
            page = text(client.get(url, headers=headers))
            assert "<script>alert" not in page
            assert "<img src=x" not in page
            assert "<b>x</b>" not in page
            assert ">14<" not in page


def test_a_tree_is_made_from_an_array(clients):
    array = json.dumps([{"name": "Solo", "schemas": {"method": "noop"}}])
    response = clients["ann"].post("/trees/new", {"array": array})
    assert response.headers["Location"] == Tree.objects.get(name="Solo").get_absolute_url()


@pytest.mark.parametrize("array", ["", "{", "[1]", '[{"name": "a", "dependancies": []}]', "\x00", "[" * 500])
def test_a_bad_array_comes_back_with_its_problems(clients, array):
    response = clients["ann"].post("/trees/new", {"array": array})
    assert response.status_code == 400
    assert "nothing was stored" in text(response)


def test_a_viewer_cannot_make_a_tree(tree):
    assert signed_in(make_user("vera", role="viewer")).get("/trees/new").status_code == 403


def test_the_run_page_tells_the_story(clients, tree):
    run = start(tree)
    end_task(run, task_named(tree, "load"), Status.FAILED, error="disk full")
    run = end_run(run, Status.FAILED)
    page = text(clients["ann"].get(f"/runs/{run.pk}"))
    assert "“load” failed (disk full)" in page
    assert 'role="treegrid"' in page
    assert "Re-run 1 failed" in page


@pytest.mark.parametrize("query", ["state=failed", "state=nonsense", "q=load", "start=9999999999", "start=-1", "q=%00"])
def test_any_query_string_gives_a_page(clients, tree, query):
    run = start(tree)
    for url in (f"/runs/{run.pk}", "/runs/", "/trees/", f"/trees/{tree.pk}"):
        assert clients["ann"].get(f"{url}?{query}&before=x").status_code == 200


def test_an_older_run_shows_what_it_saw(clients, tree):
    run = start(tree)
    end_task(run, task_named(tree, "load"), Status.FAILED, error="disk full")
    end_run(run, Status.FAILED)
    start(tree)
    page = text(clients["ann"].get(f"/runs/{run.pk}"))
    assert "disk full" in page
    assert 'data-state="failed"' in page


def test_htmx_gets_partials_and_a_browser_a_page(clients, tree):
    run = start(tree)
    page = clients["ann"].get(f"/runs/{run.pk}")
    part = clients["ann"].get(f"/runs/{run.pk}", headers=HTMX)
    assert "<!doctype html>" in text(page)
    assert text(part).startswith("<hx-partial")
    assert "HX-Request" in part.headers["Vary"]


def test_a_run_is_started_for_htmx_and_for_plain_forms(clients, tree):
    run_url = clients["ann"].post(f"/trees/{tree.pk}/run", headers=HTMX).headers["HX-Redirect"]
    assert run_url == Run.objects.get(tree=tree).get_absolute_url()
    again = clients["ann"].post(f"/trees/{tree.pk}/run")
    assert again.status_code == 409
    assert "run" in text(again)


def test_a_refusal_for_htmx_is_a_notice(clients, tree):
    start(tree)
    response = clients["ann"].post(f"/trees/{tree.pk}/run", headers=HTMX)
    assert response.status_code == 409
    assert 'hx-target="#notice"' in text(response)


def test_cancel_shows_in_the_very_next_response(clients, tree):
    run = start(tree)
    response = clients["ann"].post(f"/runs/{run.pk}/cancel", {"reason": "wrong file"}, headers=HTMX)
    assert response.status_code == 200
    run.refresh_from_db()
    assert run.cancel_requested_at or not run.is_active
    assert "Cancel 0" not in text(response)


def test_a_rerun_of_nonsense_is_refused(clients, tree):
    run = end_run(start(tree), Status.FAILED)
    assert clients["ann"].post(f"/runs/{run.pk}/rerun", {"mode": "nonsense"}).status_code == 400


def test_delete_says_what_goes_and_then_deletes(clients, tree):
    url = f"/trees/{tree.pk}/delete"
    assert "3 tasks" in text(clients["ann"].get(url))
    assert clients["ann"].post(url).status_code == 302
    assert not Tree.objects.filter(pk=tree.pk).exists()


def test_the_export_can_be_downloaded(clients, tree):
    response = clients["ann"].get(f"/trees/{tree.pk}/export.json")
    assert [t["name"] for t in response.json()] == ["Report", "load", "send"]
    assert "attachment" in response.headers["Content-Disposition"]


def test_the_theme_is_remembered(clients):
    response = clients["ann"].post("/theme", {"theme": "dark", "next": "https://evil.example/"})
    assert response.headers["Location"] == "/"
    assert 'data-bs-theme="dark"' in text(clients["ann"].get("/"))


def test_pages_are_not_stored_and_carry_no_inline_code(clients, tree):
    run = start(tree)
    for url in ("/", "/trees/", f"/trees/{tree.pk}", f"/runs/{run.pk}", "/trees/new", f"/tasks/{tree.tasks.last().pk}"):
        response = clients["ann"].get(url)
        page = text(response)
        assert response.headers["Cache-Control"] == "no-store"
        assert " style=" not in page
        assert "<style" not in page
        assert "<script>" not in page
        assert "hx-on" not in page
        assert "js:" not in page


@pytest.mark.parametrize("url", ["/nowhere", "/runs/999", "/trees/999999999999999999999", "/tasks/0"])
def test_what_does_not_exist_is_a_page_in_our_look(clients, url):
    response = clients["ann"].get(url)
    assert response.status_code == 404
    assert "Go to the overview" in text(response)


def test_a_body_over_the_limit_is_refused(clients, settings):
    settings.MAX_BODY_BYTES = 1024 * 1024
    response = clients["ann"].post("/trees/new", {"array": "x" * (1024 * 1024 + 1)})
    assert response.status_code == 413
    assert "request larger than 1 MiB" in text(response)


def test_the_admin_site_opens_and_changes_no_state(tree):
    boss = User.objects.create_superuser("boss", password="secret")
    run = start(tree)
    end_task(run, task_named(tree, "load"), Status.FAILED, error="disk full")
    client = signed_in(boss)
    for model in ("tree", "task", "run", "attempt", "event", "worker", "treeshare"):
        assert client.get(f"/admin/orchestration/{model}/").status_code == 200
    assert 'name="status"' not in text(client.get(f"/admin/orchestration/run/{run.pk}/change/"))
    assert client.get("/admin/orchestration/run/add/").status_code == 403
    assert client.post(f"/admin/orchestration/tree/{tree.pk}/delete/").status_code == 403


@pytest.mark.django_db
def test_the_overview_counts_all_that_runs_and_places_of_both_kinds():
    user, now = make_user("ann"), timezone.now()
    Worker.objects.create(id="w", host="h", pid=1, process_slots=2, async_slots=30, started_at=now, heartbeat_at=now)
    for number, executor in enumerate(["command", "command", *["http"] * 8]):
        tree = make_tree(task(f"t{number}"), owner=user)
        run = start(tree)
        Attempt.objects.create(
            task=tree.tasks.get(), run=run, number=1, executor=executor, status=Status.IN_PROGRESS, started_at=now
        )
    tiles = [
        " ".join(re.sub(r"<[^>]+>", " ", tile).split())
        for tile in re.findall(r'<a class="tile".*?</a>', text(signed_in(user).get("/")))
    ]
    assert tiles[0] == "10 running now"
    assert tiles[1] == "10 / 32 slots in use, process slots: full"
