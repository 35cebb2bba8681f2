"""What each method answers."""

from __future__ import annotations

import uuid

import pytest

from orchestration.models import Run, Task, Tree
from orchestration.services.runs import run_start
from tests.factories import make_tree, make_user, task
from tests.rpc.conftest import TREE, Rpc, secret_of

pytestmark = pytest.mark.django_db
FIELDS = {
    "id", "parent_id", "task_tree_id", "user_id", "name", "status", "priority", "dependencies", "inputs", "params",
    "result", "error", "schemas", "progress", "created_at", "started_at", "updated_at", "completed_at", "has_children",
    "original_task_id", "origin_type", "has_references", "schedule_type", "schedule_expression", "schedule_enabled",
    "schedule_start_at", "schedule_end_at", "next_run_at", "last_run_at", "max_runs", "run_count", "lease_id",
    "lease_expires_at", "placement_constraints", "attempt_id", "idempotency_key", "last_assigned_node",
}  # fmt: skip


def test_create_answers_all_tasks_parents_first_in_the_protocols_shape(rpc):
    made = rpc.call("tasks.create", TREE)
    assert [t["name"] for t in made] == ["Report", "load", "send"]
    for row in made:
        assert set(row) == FIELDS
        uuid.UUID(row["id"])
    root, load, send = made
    assert (root["parent_id"], root["has_children"], root["user_id"]) == (None, True, "ann")
    assert load["task_tree_id"] == send["task_tree_id"] == load["parent_id"] == root["id"]
    assert send["dependencies"] == [{"id": load["id"], "required": True, "type": "result"}]
    assert (load["status"], load["progress"], load["priority"]) == ("pending", 0.0, 1)
    assert (load["schemas"]["method"], send["params"]["executor_id"]) == ("noop", "noop")


def test_create_keeps_free_uuids_and_answers_one_task_as_an_object(rpc):
    wanted = str(uuid.uuid4())
    made = rpc.call("tasks.create", {"name": "one", "id": wanted, "schedule_type": None, "priority": None})
    assert (made["id"], made["priority"]) == (wanted, 2)


def test_get_detail_tree_and_children(rpc, tree):
    root, load = tree["Report"]["id"], tree["load"]["id"]
    assert rpc.call("tasks.get", task_id=load) == rpc.call("tasks.get", id=load) == tree["load"]
    assert rpc.call("tasks.detail", task_id=load) == tree["load"]
    assert [t["name"] for t in rpc.call("tasks.children", parent_id=root)] == ["send", "load"]
    whole = rpc.call("tasks.tree", task_id=root)
    assert whole["task"] == tree["Report"]
    assert [(n["task"]["name"], n["children"]) for n in whole["children"]] == [("load", []), ("send", [])]
    assert rpc.call("tasks.tree", root_id=load) == {"task": tree["load"], "children": []}


def test_list_and_count(rpc, tree):
    rpc.call("tasks.create", {"name": "newer"})
    assert [t["name"] for t in rpc.call("tasks.list")] == ["newer", "Report"]
    assert [t["name"] for t in rpc.call("tasks.list", limit=1, offset=1, status="pending")] == ["Report"]
    assert len(rpc.call("tasks.list", root_only=False, user_id=None)) == 4
    assert rpc.call("tasks.list", user_id="bob") == []
    nothing = dict.fromkeys(("in_progress", "completed", "failed", "cancelled"), 0)
    assert rpc.call("tasks.count") == {**nothing, "pending": 4, "total": 4}
    assert rpc.call("tasks.count", root_only=True, user_id="ann")["total"] == 2
    assert rpc.call("tasks.count", statuses=["failed"]) == {"failed": 0, "total": 0}


def test_update_flat_and_nested(rpc, tree):
    load, send = tree["load"]["id"], tree["send"]["id"]
    assert rpc.call("tasks.update", task_id=load, name="fetch", priority=3, status="pending")["name"] == "fetch"
    assert rpc.call("tasks.update", task_id=load, updates={"inputs": {"x": 1}})["inputs"] == {"x": 1}
    assert rpc.call("tasks.update", task_id=send, dependencies=[])["dependencies"] == []
    again = rpc.call("tasks.update", task_id=send, dependencies=[load], name="ship")
    assert (again["dependencies"][0]["id"], again["name"]) == (load, "ship")
    assert rpc.error("tasks.update", task_id=load, status="completed")["code"] == -32006
    assert rpc.error("tasks.update", task_id=load, parent_id=send)["code"] == -32602
    assert rpc.error("tasks.update", task_id=load, dependencies=[send])["code"] == -32002
    assert rpc.error("tasks.update", task_id=load, dependencies=["zz"])["code"] == -32011


def test_delete_takes_what_is_under_it_and_refuses_what_is_awaited(rpc, tree):
    refused = rpc.error("tasks.delete", task_id=tree["load"]["id"])
    assert refused["code"] == -32009
    assert "dependent" in refused["data"]["reason"]
    done = rpc.call("tasks.delete", task_id=tree["send"]["id"])
    assert done == {"success": True, "task_id": tree["send"]["id"], "deleted_count": 1, "children_deleted": 0}
    assert rpc.call("tasks.delete", task_id=tree["Report"]["id"])["children_deleted"] == 1
    assert not Tree.objects.exists()


def test_execute_and_cancel_without_an_engine(rpc, tree):
    root = tree["Report"]["id"]
    started = rpc.call("tasks.execute", task_id=root)
    run = Run.objects.get()
    assert (started["success"], started["status"], started["root_task_id"]) == (True, "started", root)
    again = rpc.call("tasks.execute", task_id=tree["load"]["id"])
    assert (again["success"], again["status"], again["run_id"]) == (False, "already_running", run.pk)
    assert rpc.call("tasks.running.count") == {"count": 1}
    assert [t["id"] for t in rpc.call("tasks.running.list", limit=5)] == [root]
    status = rpc.call("tasks.running.status", task_ids=f"{root},nonsense")
    assert [(s["status"], s["is_running"]) for s in status] == [("in_progress", True), ("not_found", False)]
    assert rpc.error("tasks.update", task_id=root, name="x")["code"] == -32008
    one, gone = rpc.call("tasks.cancel", task_ids=[root, str(uuid.uuid4())], error_message="enough", force=True)
    assert (one["status"], one["message"], one["force"], one["task_id"]) == ("cancelled", "enough", True, root)
    assert (gone["status"], gone["error"]) == ("failed", "Task not found")
    assert rpc.call("tasks.get", task_id=root)["status"] == "cancelled"
    assert rpc.call("tasks.get", task_id=root)["completed_at"]
    (late,) = rpc.call("tasks.running.cancel", context_ids=root)
    assert (late["status"], late["current_status"]) == ("failed", "cancelled")


def test_execute_of_tasks_answers_ids_that_are_stored(rpc):
    started = rpc.call("tasks.execute", tasks=TREE)
    assert Task.objects.get(pk=started["task_id"]).name == "Report"
    assert Run.objects.get().pk == started["run_id"]


def test_clone_copies_previews_links_and_mixes(rpc, tree):
    root = tree["Report"]["id"]
    copied = rpc.call("tasks.clone", task_id=root, reset_fields={"priority": "3", "status": "x", "inputs": None})
    assert [t["priority"] for t in copied] == [3, 3, 3]
    assert copied[0]["origin_type"] == "copy"
    assert copied[0]["original_task_id"] == root
    alone = rpc.call("tasks.copy", task_id=root, copy_children=False)
    assert [t["name"] for t in alone] == ["Report"]
    imagined = rpc.call("tasks.clone", task_id=root, save=False)
    assert tuple(imagined[0][key] for key in ("name", "id", "status")) == ("Report", None, "pending")
    assert Tree.objects.count() == 3
    assert rpc.error("tasks.clone", task_id=root, origin_type="link")["code"] == -32006
    assert rpc.error("tasks.clone", task_id=root, origin_type="mixed")["code"] == -32602
    assert rpc.error("tasks.clone", task_id=root, origin_type="spin")["code"] == -32602


@pytest.mark.parametrize(
    ("tasks", "code"),
    [
        ([], -32012),
        ([{"name": "a"}, {"name": "b"}], -32012),
        ([{"name": "a", "dependencies": ["a"]}], -32002),
        ([{"name": "a", "parent_id": "zz"}, {"name": "r"}], -32010),
        ([{"name": "a", "dependencies": ["zz"]}], -32011),
        ([{"name": "a", "params": {"executor_id": "nope"}}], -32003),
        ([{"name": "a", "schemas": {"input_schema": {"type": 7}}}], -32005),
        ([{"name": "a", "priority": 77}], -32602),
        ([{"name": "a", "user_id": "bob"}], -32004),
        ("text", -32602),
    ],
)
def test_create_refuses_with_the_protocols_codes(rpc, tasks, code):
    if tasks == "text":
        assert rpc.error("tasks.create", {"name": 3})["code"] == code
        return
    error = rpc.error("tasks.create", tasks)
    assert error["code"] == code
    assert error["message"]
    assert error["data"]["reason"]
    assert not Tree.objects.exists()


def test_nobody_reaches_the_tasks_of_others(rpc, tree):
    eve = Rpc(secret_of(make_user("eve")))
    root = tree["Report"]["id"]
    for method in ("get", "detail", "update", "delete", "tree", "children", "execute", "clone"):
        assert eve.error(f"tasks.{method}", task_id=root)["code"] == -32001, method
    assert eve.call("tasks.list", root_only=False) == eve.call("tasks.running.list") == []
    assert eve.call("tasks.count")["total"] == 0
    assert eve.call("tasks.cancel", task_id=root)[0]["error"] == "Task not found"
    assert eve.call("tasks.running.status", task_ids=[root])[0]["status"] == "not_found"


def test_tokens_do_only_what_their_scope_allows(ann, rpc, tree):
    look, run = Rpc(secret_of(ann, "read")), Rpc(secret_of(ann, "run"))
    root = tree["Report"]["id"]
    assert look.call("tasks.get", task_id=root)["id"] == root
    assert look.error("tasks.execute", task_id=root)["code"] == -32004
    assert run.error("tasks.delete", task_id=root)["code"] == -32004
    assert run.error("tasks.execute", tasks=TREE)["code"] == -32004
    assert run.call("tasks.execute", task_id=root)["success"]


def test_system_and_discovery(rpc, ann):
    health = rpc.answer("system.health", path="/apflow/system")["result"]
    assert (health["status"], health["running_tasks_count"]) == ("healthy", 0)
    found = rpc.call("system.executors")
    assert found["count"] == len(found["executors"]) > 3
    response = rpc.client.get("/apflow/tasks/methods", headers={"Authorization": f"Bearer {rpc.secret}"})
    listed = response.json()
    assert listed["total"] == sum(len(group) for group in listed["methods"].values()) == 14
    assert listed["categories"] == list(listed["methods"])


def test_a_root_alone_shows_its_own_state_and_error(rpc, ann):
    stored = make_tree(task("only"), owner=ann)
    run_start(user=ann, tree_id=stored.pk)
    root = Task.objects.get(tree=stored)
    assert rpc.call("tasks.get", task_id=str(root.pk))["status"] == "pending"
