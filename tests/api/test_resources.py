"""Trees, tasks, runs and what hangs on them: made, read, changed, run, deleted."""

from __future__ import annotations

import pytest

from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import Ending, Outcome
from orchestration.models import AuditEntry, Run, Task, Tree
from orchestration.services.transitions import Transitions
from tests.api.conftest import error_of
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db
ARRAY = [
    {"name": "Report"},
    {"name": "load", "parent_id": "Report", "executor": "noop", "inputs": {"k": 9007199254740993}},
    {"name": "send", "parent_id": "Report", "executor": "noop", "dependencies": [{"name": "load"}]},
]


def finish(run_id):
    """Let an engine without executors complete everything."""
    engine = Transitions("test", lease_s=15, recovery_limit=3)
    outcomes = []
    while works := engine.apply(outcomes, Slots(asynchronous=10)).works:
        outcomes = [Outcome(w.run_id, w.task_id, w.attempt, Ending.COMPLETED, result='{"n":1}') for w in works]
    assert Run.objects.get(pk=run_id).completed_at


def test_a_tree_is_created_read_changed_and_deleted(api):
    made = api.post("trees/", {"tasks": ARRAY, "labels": ["daily"]})
    assert made.status_code == 201, made.content
    tree = made.json()
    assert made["Location"] == f"/api/v1/trees/{tree['id']}/"
    assert (tree["name"], tree["owner"], tree["labels"], tree["task_count"]) == ("Report", "ann", ["daily"], 3)
    got = api.get(made["Location"])
    assert got["ETag"] == '"1"'
    assert {**got.json(), "warnings": []} == tree
    changed = api.patch(made["Location"], {"name": "Daily report", "labels": []}, If_Match='"1"')
    assert (changed.json()["name"], changed.json()["labels"]) == ("Daily report", [])
    assert api.patch(made["Location"], {"name": "x"}, If_Match='"1"').status_code == 412
    assert api.delete(made["Location"]).status_code == 204
    assert api.get(made["Location"]).status_code == 404
    assert list(AuditEntry.objects.values_list("action", flat=True)[:4]) == [
        "refused",
        "tree.delete",
        "tree.update",  # the labels
        "tree.update",  # the name
    ]


def test_the_tasks_of_a_tree(api):
    tree = api.post("trees/", ARRAY).json()
    rows = api.get(f"trees/{tree['id']}/tasks/").json()["items"]
    assert [r["name"] for r in rows] == ["Report", "load", "send"]
    assert rows[0]["id"] == tree["root"]
    load = api.get(f"tasks/{rows[1]['id']}/").json()
    assert load["inputs"] == {"k": 9007199254740993}
    edges = api.get(f"trees/{tree['id']}/dependencies/").json()["items"]
    assert [(e["task"], e["depends_on"]) for e in edges] == [(rows[2]["id"], rows[1]["id"])]


def test_a_task_is_changed_by_whoever_saw_its_version(api, tree):
    load = task_named(tree, "load")
    path = f"tasks/{load.pk}/"
    assert error_of(api.patch(path, {"priority": 1}))["field"] == "version"
    assert api.patch(path, {"priority": 1, "version": 1}).json()["version"] == 2
    assert api.patch(path, {"priority": 3}, If_Match='"2"').json()["priority"] == 3
    assert (api.patch(path, {"priority": 0}, If_Match='"2"').status_code, Task.objects.get(pk=load.pk).priority) == (
        412,
        3,
    )
    late = api.patch(path, {"priority": 0, "version": 1})
    assert (late.status_code, error_of(late)["code"]) == (409, "stale_version")


def test_create_run_cancel_reexecute(api, tree):
    run = api.post(f"trees/{tree.pk}/runs/", {"mode": "all"})
    assert run.status_code == 202, run.content
    assert (run.json()["status"], run.json()["total"]) == ("in_progress", 3)
    again = api.post(f"trees/{tree.pk}/runs/")
    assert (again.status_code, error_of(again)["code"]) == (409, "already_running")
    run_id = run.json()["id"]
    cancelled = api.post(f"runs/{run_id}/cancel/", {"reason": "wrong day"})
    assert (cancelled.json()["status"], cancelled.json()["reason"]) == ("cancelled", "wrong day")
    retried = api.post(f"runs/{run_id}/retry/")
    assert (retried.status_code, retried.json()["mode"], retried.json()["number"]) == (202, "failed", 2)
    finish(retried.json()["id"])
    done = api.get(f"runs/{retried.json()['id']}/").json()
    assert (done["status"], done["completed"]) == ("completed", 3)
    assert api.get(f"trees/{tree.pk}/").json()["status"] == "completed"


def test_attempts_events_and_explanations(api, tree):
    run_id = api.post(f"trees/{tree.pk}/runs/").json()["id"]
    load = task_named(tree, "load")
    send = task_named(tree, "send")
    why = api.get(f"tasks/{send.pk}/explain/").json()
    assert why["verdicts"][0]["depends_on"] == str(load.pk)
    finish(run_id)
    attempts = api.get(f"runs/{run_id}/attempts/").json()["items"]
    assert {a["task"] for a in attempts} >= {str(load.pk), str(send.pk)}
    full = api.get(f"tasks/{load.pk}/attempts/1/").json()
    assert full["result"] == {"n": 1}
    assert api.get(f"tasks/{load.pk}/attempts/").json()["items"][0]["number"] == 1
    assert api.get(f"tasks/{load.pk}/").json()["result"] == {"n": 1}
    assert api.get(f"tasks/{load.pk}/attempts/9/").status_code == 404
    first = api.get(f"runs/{run_id}/events/?page_size=2").json()
    assert [e["seq"] for e in first["items"]] == [1, 2]
    rest = api.get(first["next"].replace("page_size=2", "page_size=200")).json()
    assert (rest["items"][0]["seq"], rest["ended"], rest["next"]) == (3, True, None)
    explained = api.get(f"runs/{run_id}/explain/").json()
    assert [step["name"] for step in explained["path"]["steps"]] == ["load", "send"]
    second = api.post(f"runs/{run_id}/retry/", {"mode": "from", "chosen": [str(send.pk)]}).json()
    finish(second["id"])
    compared = api.get(f"compare/?a={run_id}&b={second['id']}")
    assert compared.status_code == 200
    assert compared.json()["comparison"]["summary"]


def test_a_dry_run_changes_nothing(api, tree):
    dry = api.get(f"trees/{tree.pk}/dry-run/?mode=all").json()
    assert {d["runs"] for d in dry["decisions"].values()} == {True}
    assert str(task_named(tree, "load").pk) in dry["forecast"]["order"]
    assert not Run.objects.exists()
    bad = api.get(f"trees/{tree.pk}/dry-run/?mode=from&chosen=x")
    assert (bad.status_code, error_of(bad)["field"]) == (400, "chosen")


def test_run_overrides_are_checked_before_the_engine_sees_them(api, tree):
    load = str(task_named(tree, "load").pk)
    path = f"trees/{tree.pk}/runs/"
    bad = api.post(path, {"overrides": {load: {"priority": 9}, "x": {}, str(tree.pk): 1}})
    assert bad.status_code == 400
    assert {p["code"] for p in bad.json()["problems"]} == {"invalid_choice", "unknown_task"}
    run = api.post(path, {"overrides": {load: {"inputs": {"day": 1}}}})
    finish(run.json()["id"])
    assert api.get(f"tasks/{load}/attempts/1/").json()["inputs"] == {"day": 1}


def test_copies_links_archives_and_mixes(api, tree):
    root = Task.objects.get(tree=tree, parent=None).pk
    preview = api.post(f"tasks/{root}/copy/", {"preview": True}).json()
    assert (preview["preview"], preview["counts"]["tasks"]) == (True, 3)
    assert Tree.objects.count() == 1
    copy = api.post(f"tasks/{root}/copy/")
    assert (copy.status_code, copy.json()["origin_type"], copy.json()["original"]) == (201, "copy", tree.pk)
    early = api.post(f"tasks/{root}/link/")
    assert early.status_code == 409
    finish(api.post(f"trees/{tree.pk}/runs/").json()["id"])
    assert api.post(f"tasks/{root}/link/").json()["origin_type"] == "link"
    assert api.post(f"tasks/{root}/archive/").json()["archived_at"]
    load = str(task_named(tree, "load").pk)
    assert api.post(f"tasks/{root}/mixed/", {"link_ids": [load]}).status_code == 201
    assert Tree.objects.count() == 5


def test_import_and_export(api):
    made = api.post("trees/import/", {"text": "- name: hello\n  executor: noop\n", "format": "yaml", "labels": ["y"]})
    assert (made.status_code, made.json()["labels"]) == (201, ["y"])
    path = f"trees/{made.json()['id']}/export/"
    assert api.get(path).json() == [{"name": "hello", "executor": "noop"}]
    assert api.get(f"{path}?state=true").json()[0]["status"] == "pending"
    looked = api.post("trees/import/", {"text": "[]", "preview": True})
    assert (looked.status_code, error_of(looked)["code"]) == (400, "empty")
    assert api.post("trees/import/", {"text": '[{"name": "x"}]', "preview": True}).json()["task_count"] == 1


def test_priority_limit_and_cancel_of_tasks(api, tree):
    load = task_named(tree, "load").pk
    assert api.post(f"tasks/{load}/priority/", {"priority": 0}).json()["priority"] == 0
    assert api.post(f"trees/{tree.pk}/limit/", {"max_parallel": 2}).json()["max_parallel"] == 2
    assert api.post(f"tasks/{load}/cancel/").status_code == 409
    api.post(f"trees/{tree.pk}/runs/")
    Transitions("test", lease_s=15, recovery_limit=3).apply([], Slots())
    assert [t["name"] for t in api.get("queue/").json()["items"]] == ["load"]
    assert api.post(f"tasks/{load}/cancel/", {"reason": "no"}).json()["status"] == "cancelled"


def test_bulk_has_an_outcome_per_tree(api, ann, tree):
    other = make_tree(owner=ann, labels=("night",))
    foreign = make_tree(owner=make_user("eve"))
    ids = [tree.pk, other.pk, foreign.pk, 2**63 - 1]
    looked = api.post("trees/bulk/", {"action": "run", "ids": ids, "preview": True}).json()
    assert [i["ok"] for i in looked["items"]] == [True, True, False, False]
    assert not Run.objects.exists()
    ran = api.post("trees/bulk/", {"action": "run", "ids": ids}).json()
    assert (ran["done"], ran["refused"]) == (2, 2)
    assert {i.get("code") for i in ran["items"]} == {None, "not_found"}
    ended = api.post("trees/bulk/", {"action": "cancel", "filter": {"label": "night"}}).json()
    assert [i["id"] for i in ended["items"]] == [other.pk]
    assert (
        api.post("trees/bulk/", {"action": "delete", "ids": [tree.pk]}).json()["items"][0]["code"] == "already_running"
    )
    assert api.post("trees/bulk/", {"action": "delete", "ids": [other.pk]}).json()["done"] == 1
    for body in ({"action": "run"}, {"action": "run", "ids": [], "filter": {}}, {"action": "burn", "ids": []}):
        assert api.post("trees/bulk/", body).status_code == 400
    assert api.post("trees/bulk/", {"action": "run", "filter": {"owner__password": "x"}}).status_code == 400


def test_what_there_is(api):
    assert "trees" in api.get("").json()["resources"]
    assert {e["id"] for e in api.get("executors/").json()["items"]} >= {"noop", "http"}
    assert api.get("executors/noop/").json()["id"] == "noop"
    assert api.get("executors/nope/").status_code == 404
    assert api.get("workers/").json() == {"items": [], "next": None}
    assert api.get("me/").json()["roles"] == ["operator"]


def test_tasks_are_found_across_trees(api, ann, tree):
    make_tree(task("other"), owner=make_user("eve"))
    names = {t["name"] for t in api.get("tasks/?executor=noop").json()["items"]}
    assert names == {"load", "send"}
    assert [t["name"] for t in api.get("tasks/?search=oad").json()["items"]] == ["load"]
