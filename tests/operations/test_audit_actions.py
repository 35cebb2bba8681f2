"""Every action has one audit entry, whichever door it came by: who, from where, what, before and after."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User

from orchestration.builders.bulk import work_off
from orchestration.models import AuditEntry, BulkOperation, Run, Task, Tree
from orchestration.services import audit, trees
from orchestration.services.runs import run_start
from orchestration.services.tokens import token_create
from tests.api.conftest import Api
from tests.dashboard.conftest import clients, signed_in, tree  # noqa: F401  (fixtures)
from tests.factories import make_tree, make_user, task, task_named
from tests.support_audit import forget_audit

pytestmark = pytest.mark.django_db
SECRET = "hunter2-" * 3


@pytest.fixture
def ann(clients):  # noqa: F811
    forget_audit()
    return clients["ann"]


def entries(*ignored):
    """(action, target, details) of all entries, oldest first."""
    rows = AuditEntry.objects.exclude(action__in=["login", *ignored]).order_by("seq")
    return [(row.action, row.target, json.loads(row.details)) for row in rows]


def only_entry(action):
    (found,) = entries()
    assert found[0] == action, found
    return found[2]


def test_a_run_from_a_page_and_its_end(ann, tree):  # noqa: F811
    ann.post(f"/trees/{tree.pk}/run", headers={"X-Request-ID": "request-0001"})
    run = Run.objects.get()
    row = AuditEntry.objects.get()
    assert (row.action, row.actor, row.target, row.ip) == ("run.start", "ann", f"run:{run.pk}", "127.0.0.1")
    told = json.loads(row.details)
    assert (told["request"], told["door"], told["mode"]) == ("request-0001", "page", "all")
    ann.post(f"/tasks/{task_named(tree, 'send').pk}/cancel", {"reason": "why"})
    ann.post(f"/runs/{run.pk}/cancel", {"reason": "enough"})
    ann.post(f"/runs/{run.pk}/cancel", {"reason": "again"})
    actions = [(action, details["reason"]) for action, _, details in entries("run.start")]
    assert actions == [("task.cancel", "why"), ("run.cancel", "enough")]
    forget_audit()
    ann.post(f"/runs/{run.pk}/rerun", {"mode": "failed"})
    assert only_entry("run.retry")["mode"] == "failed"


def test_edits_tell_before_and_after_but_no_values_that_may_be_secret(ann, tree):  # noqa: F811
    load = task_named(tree, "load")
    form = {"name": "load it", "priority": "0", "inputs": json.dumps({"password": SECRET}), "version": load.version}
    ann.post(f"/tasks/{load.pk}/edit", {"max_attempts": "1", "params": "{}", "schemas": "{}", "backoff": "{}", **form})
    told = only_entry("task.update")
    assert {"name", "inputs", "priority"} <= set(told["fields"])
    assert (told["before"]["name"], told["after"]["name"]) == ("load", "load it")
    assert SECRET not in json.dumps(told)
    assert "inputs" not in told["after"]


SETTINGS = [
    ("rename", {"name": "Daily"}, "tree.update", {"before": {"name": "Report"}, "after": {"name": "Daily"}}),
    ("labels", {"labels": "a, b"}, "tree.update", {"before": {"labels": []}, "after": {"labels": ["a", "b"]}}),
    ("limit", {"max_parallel": "3"}, "tree.limit", {"before": 0, "after": 3}),
    ("copy", {}, "tree.copy", {"tasks": 3}),
    ("delete", {}, "tree.delete", {"name": "Report", "tasks": 3}),
]


@pytest.mark.parametrize(("action", "form", "name", "told"), SETTINGS, ids=[row[0] for row in SETTINGS])
def test_what_is_done_with_a_tree(ann, tree, action, form, name, told):  # noqa: F811
    assert ann.post(f"/trees/{tree.pk}/{action}", form).status_code == 302
    assert only_entry(name).items() >= told.items()


def test_priority_export_profile_and_import(ann, tree):  # noqa: F811
    ann.post(f"/tasks/{task_named(tree, 'load').pk}/priority", {"priority": "0"})
    ann.get(f"/trees/{tree.pk}/export.json")
    ann.post("/me", {"time_zone": "Europe/Berlin"})
    ann.post("/trees/new", {"array": '[{"name": "x"}]'})
    assert [action for action, _, _ in entries()] == ["task.priority", "tree.export", "profile.update", "tree.create"]
    assert entries()[0][2]["before"] == 2


def test_the_outline_saved_from_the_builder(ann, tree):  # noqa: F811
    ann.get(f"/trees/{tree.pk}/edit")
    draft = tree.drafts.get() if hasattr(tree, "drafts") else tree.treedraft_set.get()
    ann.post(f"/trees/build/{draft.pk}/edit", {"op": "add", "task": task_named(tree, "load").pk})
    ann.post(f"/trees/build/{draft.pk}/save")
    told = only_entry("tree.redefine")
    assert (told["added"], told["removed"], told["before"]["tasks"], told["after"]["tasks"]) == (1, 0, 3, 4)


def test_nothing_is_told_of_what_was_refused(ann, clients, tree):  # noqa: F811
    ann.post(f"/trees/{tree.pk}/limit", {"max_parallel": "-1"})
    ann.post(f"/trees/{tree.pk}/rename", {"name": ""})
    assert entries() == []
    clients["bob"].post(f"/trees/{tree.pk}/run")
    clients["eve"].get(f"/trees/{tree.pk}")
    clients["nobody"].get(f"/trees/{tree.pk}")
    assert [(action, target, told["code"]) for action, target, told in entries()] == [
        ("refused", f"POST /trees/{tree.pk}/run", "forbidden"),
        ("refused", f"GET /trees/{tree.pk}", "not_found"),
    ]


def test_a_form_without_its_token_is_told(tree):  # noqa: F811
    client = signed_in(make_user("ann"))
    client.handler.enforce_csrf_checks = True
    assert client.post(f"/trees/{tree.pk}/run").status_code == 403
    assert entries("login")[-1][2]["code"] == "csrf"


API = [
    ("post", "trees/{tree}/runs/", {}, "run.start"),
    ("patch", "trees/{tree}/", {"labels": ["x"]}, "tree.update"),
    ("post", "trees/{tree}/limit/", {"max_parallel": 2}, "tree.limit"),
    ("get", "trees/{tree}/export/", None, "tree.export"),
    ("patch", "tasks/{load}/", {"priority": 1, "version": 1}, "task.update"),
    ("post", "tasks/{load}/priority/", {"priority": 1}, "task.priority"),
    ("post", "tasks/{load}/copy/", {}, "tree.copy"),
    ("post", "trees/", {"tasks": [{"name": "x"}]}, "tree.create"),
    ("post", "trees/import/", {"text": '[{"name": "x"}]'}, "tree.import"),
    ("post", "tokens/", {"name": "t"}, "token.create"),
    ("delete", "trees/{tree}/", None, "tree.delete"),
]


@pytest.mark.parametrize(("method", "path", "body", "action"), API, ids=[f"{row[0]} {row[1]}" for row in API])
def test_the_api_writes_no_second_entry(tree, method, path, body, action):  # noqa: F811
    token, secret = token_create(user=tree.owner, name="ci", scope="admin")
    forget_audit()
    answer = Api(token=secret).send(method, path.format(tree=tree.pk, load=task_named(tree, "load").pk), body)
    assert answer.status_code < 300, answer.content
    told = only_entry(action)
    assert (told["door"], told["token"], bool(told["request"])) == ("api", token.pk, True)


def test_apflow_writes_no_second_entry(ann, tree):  # noqa: F811
    secret = token_create(user=tree.owner, name="ci", scope="admin")[1]
    forget_audit()
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tasks.execute",
        "params": {"task_id": str(task_named(tree, "Report").pk)},
    }
    assert Api(token=secret).post("/apflow/tasks", call).json()["result"]["success"]
    assert only_entry("run.start")["door"] == "apflow"


def test_bulk_actions_tell_of_each_tree(ann, tree):  # noqa: F811
    other = make_tree(task("Other"), owner=tree.owner)
    ann.post("/bulk/trees", {"action": "run", "id": [tree.pk, other.pk]})
    work_off("test")
    operation = BulkOperation.objects.get()
    rows = entries()
    assert [action for action, _, _ in rows] == ["bulk.run", "run.start", "run.start"]
    assert {told["request"] for action, _, told in rows if action == "run.start"} == {f"operation:{operation.pk}"}
    forget_audit()
    Api(tree.owner).post("trees/bulk/", {"action": "cancel", "ids": [tree.pk, other.pk, 10**6]})
    assert [action for action, _, _ in entries()] == ["run.cancel", "run.cancel", "tree.bulk.cancel"]
    forget_audit()
    Api(tree.owner).post("trees/bulk/", {"action": "delete", "ids": [tree.pk], "preview": True})
    assert entries() == []
    assert audit.faults() == []


def test_what_no_request_asks_for_is_not_told(tree):  # noqa: F811
    forget_audit()
    run_start(user=tree.owner, tree_id=tree.pk)
    assert not AuditEntry.objects.exists()


def test_entries_of_one_transaction_are_written_together_or_not_at_all(tree):  # noqa: F811
    forget_audit()
    owner = User.objects.get(pk=tree.owner_id)

    def work(names):
        with audit.during(audit.Origin(ip="::1")), audit.together():
            for name in names:
                trees.tree_rename(user=owner, tree_id=tree.pk, name=name)
                assert not AuditEntry.objects.exists()
            if not names:
                raise RuntimeError

    work(["a", "b"])
    assert AuditEntry.objects.filter(ip="::1").count() == 2
    assert audit.faults() == []
    with pytest.raises(RuntimeError):
        work([])
    assert Tree.objects.get(pk=tree.pk).name == "b"
    assert Task.objects.get(tree=tree, parent=None).name == "b"
