"""Who sees and does what: a stranger never learns that a thing exists."""

from __future__ import annotations

import pytest

from orchestration.models import Run, Tree, Trigger
from orchestration.services.triggers import trigger_create
from tests.dashboard.rows import start

READ = ("/trees/{tree}", "/trees/{tree}/export.json", "/runs/{run}", "/tasks/{task}")
LISTS = ("/", "/trees/", "/runs/", "/queue/", "/executors/", "/workers/")


@pytest.fixture
def ids(tree):
    return {"tree": tree.pk, "run": start(tree).pk, "task": tree.tasks.last().pk}


@pytest.mark.parametrize("url", READ)
@pytest.mark.parametrize(("who", "status"), [("ann", 200), ("bob", 200), ("carla", 200), ("eve", 404), ("nobody", 302)])
def test_a_page_opens_for_members_only(clients, ids, url, who, status):
    assert clients[who].get(url.format(**ids)).status_code == status


@pytest.mark.parametrize("url", LISTS)
def test_a_list_opens_for_all_who_are_signed_in(clients, url):
    assert clients["eve"].get(url).status_code == 200
    assert clients["nobody"].get(url).status_code == 302


@pytest.mark.parametrize("url", ["/", "/trees/", "/runs/"])
def test_a_list_never_names_a_stranger_s_tree(clients, ids, url):
    assert b"Report" in clients["bob"].get(url).content
    assert b"Report" not in clients["eve"].get(url).content


@pytest.mark.parametrize(("who", "status"), [("ann", 302), ("carla", 302), ("bob", 403), ("eve", 404)])
def test_running_needs_the_right_to_run(clients, tree, who, status):
    response = clients[who].post(f"/trees/{tree.pk}/run")
    assert response.status_code == status
    assert Run.objects.filter(tree=tree).exists() == (status == 302)


@pytest.mark.parametrize(("who", "status"), [("carla", 302), ("bob", 403), ("eve", 404)])
@pytest.mark.parametrize("action", ["/runs/{run}/cancel", "/tasks/{task}/cancel"])
def test_cancelling_needs_the_right_to_run(clients, ids, who, status, action):
    assert clients[who].post(action.format(**ids)).status_code == status


@pytest.mark.parametrize(("who", "status"), [("carla", 403), ("bob", 403), ("eve", 404)])
def test_only_the_owner_deletes(clients, tree, who, status):
    for send in (clients[who].get, clients[who].post):
        assert send(f"/trees/{tree.pk}/delete").status_code == status
    assert Tree.objects.filter(pk=tree.pk).exists()


@pytest.mark.parametrize(("who", "status"), [("ann", 200), ("carla", 403), ("bob", 403), ("eve", 404), ("nobody", 302)])
def test_only_the_owner_sees_triggers(clients, tree, who, status):
    one = trigger_create(user=tree.owner, tree_id=tree.pk, fields={"name": "nightly"}).pk
    assert clients[who].get(f"/trees/{tree.pk}/triggers").status_code == status
    assert clients[who].get(f"/trees/{tree.pk}/triggers/{one}").status_code == status
    assert clients[who].post(f"/trees/{tree.pk}/triggers/{one}/rotate").status_code == status
    for action in ("switch", "delete"):
        answer = clients[who].post(f"/trees/{tree.pk}/triggers/{one}/{action}")
        assert answer.status_code == (302 if who == "ann" else status)
    assert Trigger.objects.exists() == (who != "ann")


def test_buttons_are_shown_to_those_who_may_press_them(clients, ids):
    url = f"/runs/{ids['run']}"
    assert b"Cancel" in clients["carla"].get(url).content
    assert b"cancel-dialog" not in clients["bob"].get(url).content


def test_an_action_by_get_is_refused(clients, tree):
    assert clients["ann"].get(f"/trees/{tree.pk}/run").status_code == 405
