"""Single dependencies over the API: added, changed, removed, refused."""

from __future__ import annotations

import uuid
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestration.domain.states import Status
from orchestration.models import AuditEntry, Dependency, Task, Tree
from orchestration.services.runs import run_start
from tests.api.conftest import Api, error_of
from tests.dashboard.rows import end_run, end_task
from tests.factories import make_tree, make_user, task, task_named
from tests.services.test_transitions_races import race

pytestmark = pytest.mark.django_db


@pytest.fixture
def ids(tree):
    return {name: str(task_named(tree, name).pk) for name in ("Report", "load", "send")}


def path(ids, waiting, awaited=""):
    return f"tasks/{ids[waiting]}/dependencies/" + (f"{ids[awaited]}/" if awaited else "")


def refusal(answer):
    return answer.status_code, error_of(answer)["code"]


def versions(tree):
    return Tree.objects.get(pk=tree.pk).version, task_named(tree, "send").version


def test_add_look_change_and_remove(api, tree, ids):
    given = {"depends_on": ids["Report"], "required": False, "map": {"day": "meta.day"}}
    made = api.post(path(ids, "send"), given)
    assert made.status_code == 201
    shown = made.json()
    told = ("task", "depends_on", "position", "required", "map", "as", "version")
    assert [shown[name] for name in told] == [ids["send"], ids["Report"], 1, False, {"day": "meta.day"}, None, 2]
    assert versions(tree) == (2, 2)
    assert made["Location"] == "/api/v1/" + path(ids, "send", "Report")
    got = api.get(made["Location"])
    assert (got.json(), got["ETag"]) == (shown, '"2"')
    listed = api.get(path(ids, "send")).json()["items"]
    assert [row["depends_on"] for row in listed] == [ids["load"], ids["Report"]]
    changed = api.patch(path(ids, "send", "Report"), {"map": None, "as": "report"}, If_Match='"2"').json()
    assert (changed["map"], changed["as"], changed["required"], changed["version"]) == (None, "report", False, 3)
    assert api.delete(path(ids, "send", "Report"), If_Match='"3"').status_code == 204
    assert api.get(path(ids, "send", "Report")).status_code == 404
    assert versions(tree) == (4, 4)
    actions = ["dependency.add", "dependency.update", "dependency.remove"]
    entries = AuditEntry.objects.filter(target=f"task:{ids['send']}").order_by("seq")
    assert list(entries.values_list("action", flat=True)) == actions


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"depends_on": "load"}, "invalid_type"),
        ({"depends_on": 7}, "invalid_type"),
        ({"depends_on": str(uuid.uuid4())}, "unknown_reference"),
        ({"depends_on": "{send}"}, "cycle"),
        ({"depends_on": "{Report}", "required": "yes"}, "invalid_type"),
        ({"depends_on": "{Report}", "map": []}, "invalid_type"),
        ({"depends_on": "{Report}", "map": {}}, "invalid_type"),
        ({"depends_on": "{Report}", "map": {"a": 1}}, "invalid_type"),
        ({"depends_on": "{Report}", "map": {"a": "b"}, "as": "c"}, "map_and_as"),
        ({"depends_on": "{Report}", "as": ""}, "blank"),
        ({"depends_on": "{Report}", "as": "x" * 256}, "too_long"),
        ({"depends_on": "{Report}", "as_key": "x"}, "unknown_field"),
        ({"depends_on": "{Report}", "version": 0}, "out_of_range"),
    ],
)
def test_what_is_wrong_is_told_and_not_stored(api, tree, ids, body, code):
    if "depends_on" in body and isinstance(body["depends_on"], str):
        body = {**body, "depends_on": body["depends_on"].format(**ids)}
    assert refusal(api.post(path(ids, "send"), body)) == (400, code)
    assert Dependency.objects.filter(task=ids["send"]).count() == 1
    assert versions(tree) == (1, 1)


def test_a_task_of_another_tree_is_unknown(api, ids):
    other = task_named(make_tree(task("elsewhere"), owner=make_user("ann")), "elsewhere")
    assert refusal(api.post(path(ids, "send"), {"depends_on": str(other.pk)})) == (400, "unknown_reference")


def test_the_same_again_is_a_conflict(api, ids):
    assert refusal(api.post(path(ids, "send"), {"depends_on": ids["load"]})) == (409, "dependency_exists")


def test_a_long_cycle_is_named(api):
    names = [f"t{i}" for i in range(30)]
    chain = [task(name, after=[before]) for before, name in pairwise(names)]
    tree = make_tree(task("root", executor=""), task("t0"), *chain, owner=make_user("ann"))
    first, last = task_named(tree, "t0"), task_named(tree, "t29")
    answer = api.post(f"tasks/{first.pk}/dependencies/", {"depends_on": str(last.pk)})
    assert refusal(answer) == (400, "cycle")
    assert "t0 waits for t29 waits for t28" in error_of(answer)["message"]
    assert "(30 tasks)" in error_of(answer)["message"]


def test_versions_keep_changes_from_being_lost(api, ids):
    edge = path(ids, "send", "load")
    assert refusal(api.patch(edge, {"required": False})) == (400, "required")
    assert api.patch(edge, {"required": False, "version": 1}).status_code == 200
    assert refusal(api.patch(edge, {"required": True, "version": 1})) == (409, "stale_version")
    assert refusal(api.patch(edge, {"required": True}, If_Match='"1"')) == (412, "precondition_failed")
    assert refusal(api.delete(edge, If_Match='"1"')) == (412, "precondition_failed")
    assert refusal(api.post(path(ids, "send"), {"depends_on": ids["Report"]}, If_Match='"1"'))[0] == 412
    assert refusal(api.post(path(ids, "send"), {"depends_on": ids["Report"], "version": 1}))[0] == 409
    assert api.get(edge).json()["required"] is False


def test_nothing_changes_while_the_tree_runs(api, tree, ids):
    run_start(user=tree.owner, tree_id=tree.pk)
    edge = path(ids, "send", "load")
    answers = [
        api.post(path(ids, "send"), {"depends_on": ids["Report"]}),
        api.patch(edge, {"required": False, "version": 1}),
        api.delete(edge),
    ]
    assert [refusal(a) for a in answers] == [(409, "run_active")] * 3


def test_an_archive_is_frozen(api, tree):
    run = run_start(user=tree.owner, tree_id=tree.pk)
    for one in tree.tasks.all():
        end_task(run, one)
    end_run(run, Status.COMPLETED)
    archive = Tree.objects.get(pk=api.post(f"tasks/{tree.tasks.get(parent=None).pk}/archive/").json()["id"])
    edge = f"tasks/{task_named(archive, 'send').pk}/dependencies/{task_named(archive, 'load').pk}/"
    assert refusal(api.delete(edge)) == (409, "archived")
    assert refusal(api.patch(edge, {"required": False, "version": 1})) == (409, "archived")


def test_who_may(tree, ids):
    edge = path(ids, "send", "load")
    for name, status in (("bob", 403), ("carla", 403), ("eve", 404)):
        client = Api(make_user(name))
        assert client.get(edge).status_code == (200 if status == 403 else 404)
        assert client.delete(edge).status_code == status
        assert client.post(path(ids, "send"), {"depends_on": ids["Report"]}).status_code == status


def test_sent_twice_with_a_key_it_is_added_once(api, ids):
    body = {"depends_on": ids["Report"]}
    answers = [api.post(path(ids, "send"), body, Idempotency_Key="k") for _ in range(2)]
    assert [a.status_code for a in answers] == [201, 201]
    assert answers[1]["Idempotent-Replayed"] == "true"


def test_the_cost_of_adding_does_not_grow_with_the_tree(api):
    counts = []
    for size in (5, 200):
        tree = make_tree(task("root", executor=""), *(task(f"t{i}") for i in range(size)), owner=make_user("ann"))
        pair = [task_named(tree, name) for name in ("t0", "t1", "t2")]
        api.post(f"tasks/{pair[0].pk}/dependencies/", {"depends_on": str(pair[1].pk)})
        with CaptureQueriesContext(connection) as captured:
            api.post(f"tasks/{pair[0].pk}/dependencies/", {"depends_on": str(pair[2].pk)})
        counts.append(len(captured))
    assert counts[0] == counts[1] < 60


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_clients_never_close_a_cycle():
    ann = make_user("ann")
    tree = make_tree(task("root", executor=""), task("a"), task("b"), owner=ann)
    a, b = (Task.objects.get(tree=tree, name=name) for name in "ab")
    for _ in range(50):
        answers = race(
            lambda: Api(ann).post(f"tasks/{a.pk}/dependencies/", {"depends_on": str(b.pk)}),
            lambda: Api(ann).post(f"tasks/{b.pk}/dependencies/", {"depends_on": str(a.pk)}),
        )
        assert sorted(answer.status_code for answer in answers) == [201, 400], answers
        refused = next(answer for answer in answers if answer.status_code == 400)
        assert error_of(refused)["code"] == "cycle"
        assert Dependency.objects.filter(task__in=[a, b]).count() == 1
        Dependency.objects.filter(task__in=[a, b]).delete()
