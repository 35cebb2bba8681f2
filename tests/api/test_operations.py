"""Operations on many trees and runs over the API: looked at, accepted, worked off, stopped; and what each may."""

from __future__ import annotations

import pytest

from orchestration.builders.bulk import work_off
from orchestration.domain.states import Status
from orchestration.models import AuditEntry, BulkOperation, Run, Tree
from orchestration.services.runs import run_start
from tests.api.conftest import Api, error_of, with_token
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db


def trees(ann, count, **more):
    return [make_tree(task(f"t{number}"), owner=ann, **more) for number in range(count)]


def test_runs_are_cancelled_by_filter(api, ann):
    mine = trees(ann, 3)
    runs = [run_start(user=ann, tree_id=tree.pk) for tree in mine]
    eve = make_user("eve")
    foreign = run_start(user=eve, tree_id=trees(eve, 1)[0].pk)
    body = {"kind": "runs", "action": "cancel", "filter": {"status": "in_progress"}, "reason": "wrong day"}
    looked = api.post("operations/", {**body, "preview": True})
    assert (looked.status_code, looked.json()["total"], looked.json()["refused"]) == (200, 3, [])
    assert not BulkOperation.objects.exists()
    made = api.post("operations/", body)
    assert (made.status_code, made.json()["state"], made.json()["total"]) == (202, "waiting", 3)
    assert made["Location"] == f"/api/v1/operations/{made.json()['id']}/"
    assert work_off("test") == 1
    ended = api.get(made["Location"]).json()
    assert (ended["state"], ended["done"], ended["failed"], ended["failures"]) == ("done", 3, 0, [])
    cancelled = Run.objects.filter(status=Status.CANCELLED)
    assert {run.pk for run in cancelled} == {run.pk for run in runs}
    assert {run.reason for run in cancelled} == {"wrong day"}
    assert Run.objects.get(pk=foreign.pk).status == Status.IN_PROGRESS
    assert AuditEntry.objects.filter(action="bulk.cancel", target=f"operation {ended['id']}").count() == 1


def test_trees_by_ids_with_what_is_left_out(api, ann):
    one, two = trees(ann, 2)
    foreign = trees(make_user("eve"), 1)[0]
    run_start(user=ann, tree_id=two.pk)
    body = {"kind": "trees", "action": "run", "ids": [one.pk, two.pk, foreign.pk, 2**63 - 1]}
    looked = api.post("operations/", {**body, "preview": True}).json()
    assert (looked["total"], looked["examples"]) == (1, [one.name])
    assert [(r["reason"], r["examples"]) for r in looked["refused"]] == [
        ("a run is active: cancel it or wait for its end", [two.name])
    ]
    made = api.post("operations/", body).json()
    assert (made["total"], made["refused"]) == (1, 1)
    nothing = api.post("operations/", {**body, "ids": [two.pk]})
    assert (nothing.status_code, error_of(nothing)["code"]) == (409, "nothing_chosen")


def test_labels_and_stop(api, ann):
    one, *_ = trees(ann, 3)
    body = {"kind": "trees", "action": "label", "filter": {}, "argument": "night"}
    made = api.post("operations/", body).json()
    stopped = api.post(f"operations/{made['id']}/stop/")
    assert stopped.status_code == 200
    work_off("test")
    assert api.get(f"operations/{made['id']}/").json()["state"] == "aborted"
    assert Tree.objects.get(pk=one.pk).labels == []
    again = api.post(f"operations/{made['id']}/stop/")
    assert (again.status_code, error_of(again)["code"]) == (409, "already_finished")
    api.post("operations/", body)
    work_off("test")
    assert Tree.objects.get(pk=one.pk).labels == ["night"]
    assert [o["state"] for o in api.get("operations/?kind=trees&action=label").json()["items"]] == ["done", "aborted"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "trees", "action": "run"}, "ids"),
        ({"kind": "trees", "action": "run", "ids": [], "filter": {}}, "ids"),
        ({"kind": "runs", "action": "delete", "ids": [1]}, "action"),
        ({"kind": "trees", "action": "burn", "ids": [1]}, "action"),
        ({"kind": "people", "action": "run", "ids": [1]}, "kind"),
        ({"kind": "trees", "action": "run", "ids": ["1"]}, "ids[0]"),
        ({"kind": "trees", "action": "run", "filter": {"owner__password": "x"}}, "owner__password"),
        ({"kind": "trees", "action": "run", "filter": {"cursor": "x"}}, "filter.cursor"),
        ({"kind": "trees", "action": "run", "filter": {"search": 7}}, "filter.search"),
        ({"kind": "trees", "action": "label", "filter": {}, "argument": "a\nb"}, "argument[0]"),
        ({"kind": "trees", "action": "run", "ids": [1], "force": True}, "force"),
    ],
)
def test_what_is_refused_names_the_field(api, ann, body, field):
    trees(ann, 1)
    answer = api.post("operations/", body)
    assert (answer.status_code, error_of(answer)["field"]) == (400, field)
    assert not BulkOperation.objects.exists()


def test_scopes_roles_and_strangers(ann):
    tree = trees(ann, 1)[0]
    run = {"kind": "trees", "action": "run", "ids": [tree.pk]}
    delete = {**run, "action": "delete"}
    token = with_token(ann, "run")
    refused = token.post("operations/", delete)
    assert (refused.status_code, error_of(refused)["code"]) == (403, "token_scope")
    made = token.post("operations/", run)
    assert made.status_code == 202
    assert Api(make_user("eve")).get(made["Location"]).status_code == 404
    assert Api(make_user("viewer", role="viewer")).post("operations/", {**run, "preview": True}).status_code == 403


def test_filters_are_kept(api, ann):
    made = api.post("filters/", {"page": "runs", "name": "failed today", "query": "state=failed&hours=24"})
    assert (made.status_code, made.json()["is_default"]) == (201, False)
    again = api.post("filters/", {"page": "runs", "name": "failed today", "query": "state=failed", "is_default": True})
    assert again.json() == {**made.json(), "query": "state=failed", "is_default": True}
    api.post("filters/", {"page": "trees", "name": "mine", "query": "mine=1"})
    assert [f["name"] for f in api.get("filters/?page=runs").json()["items"]] == ["failed today"]
    assert Api(make_user("eve")).get("filters/").json()["items"] == []
    assert Api(make_user("mel")).delete(f"filters/{made.json()['id']}/").status_code == 404
    assert api.delete(f"filters/{made.json()['id']}/").status_code == 204
    assert [f["name"] for f in api.get("filters/").json()["items"]] == ["mine"]
    for body in ({"page": "queue", "name": "x", "query": ""}, {"page": "runs", "name": "", "query": ""}):
        assert api.post("filters/", body).status_code == 400


def test_ones_own_time_zone(api):
    assert api.get("me/").json()["time_zone"] == ""
    assert api.patch("me/", {"time_zone": "Europe/Berlin"}).json()["time_zone"] == "Europe/Berlin"
    assert api.get("me/").json()["time_zone"] == "Europe/Berlin"
    refused = api.patch("me/", {"time_zone": "Mars/Olympus"})
    assert (refused.status_code, error_of(refused)["field"]) == (400, "time_zone")


def test_a_task_that_is_no_link_is_not_moved(api, tree):
    answer = api.post(f"tasks/{task_named(tree, 'load').pk}/move/")
    assert (answer.status_code, error_of(answer)["code"]) == (409, "not_a_link")
