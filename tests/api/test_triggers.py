"""Triggers over the API: made, shown once, changed, given a new secret, deleted; by the owner alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orchestration.models import AuditEntry, Trigger
from orchestration.services import triggers
from orchestration.services.triggers import secret_of
from tests.api.conftest import Api, error_of, with_token
from tests.factories import make_tree, make_user, task, task_named

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(tree):
    return f"trees/{tree.pk}/triggers/"


@pytest.fixture
def load(tree):
    return str(task_named(tree, "load").pk)


def refusal(answer):
    return answer.status_code, error_of(answer)["code"]


def test_made_shown_once_changed_renewed_deleted(api, tree, path, load):
    body = {"name": "nightly", "body": "inputs", "inputs": {load: ["branch"]}, "per_minute": 5}
    made = api.post(path, body)
    assert made.status_code == 201
    one, shown = Trigger.objects.get(), made.json()
    assert shown["url"] == f"http://testserver/hooks/{one.public_id}/{secret_of(one)}/"
    assert (shown["secret"], shown["proof"], shown["enabled"], shown["use_count"]) == ("", "url", True, 0)
    assert {name: shown[name] for name in body} == body
    assert made["Cache-Control"] == "no-store"
    where = made["Location"]
    assert api.get(where).json() == {k: v for k, v in shown.items() if k not in ("url", "secret")}
    assert secret_of(one) not in api.get(path).content.decode() + api.get(where).content.decode()
    assert api.patch(where, {"enabled": False, "per_minute": 9}).json()["enabled"] is False
    renewed = api.post(f"{where}rotate/").json()
    assert renewed["url"] != shown["url"]
    assert renewed["per_minute"] == 9
    assert api.delete(where).status_code == 204
    assert api.get(where).status_code == 404
    entries = AuditEntry.objects.filter(action__startswith="trigger.").order_by("seq")
    assert list(entries.values_list("action", flat=True)) == [
        "trigger.create", "trigger.update", "trigger.rotate", "trigger.delete",
    ]  # fmt: skip
    assert not [e for e in entries if secret_of(one) in e.details or shown["url"] in e.details]


def test_a_signing_key_is_shown_once(api, path):
    shown = api.post(path, {"name": "signed", "proof": "signature"}, Idempotency_Key="k").json()
    one = Trigger.objects.get()
    assert (shown["secret"], shown["url"]) == (secret_of(one), f"http://testserver/hooks/{one.public_id}/")
    again = api.post(path, {"name": "signed", "proof": "signature"}, Idempotency_Key="k").json()
    assert (again["id"], again["secret"], again["url"]) == (one.pk, "", "")
    assert api.patch(f"{path}{one.pk}/", {"proof": "url"}).status_code == 400


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"name": ""}, "blank"),
        ({"name": " "}, "blank"),
        ({"name": "a\nb"}, "invalid_character"),
        ({"name": "x" * 101}, "too_long"),
        ({"name": "taken"}, "name_taken"),
        ({"name": "x", "proof": "none"}, "invalid_choice"),
        ({"name": "x", "body": "all"}, "invalid_choice"),
        ({"name": "x", "per_minute": 0}, "out_of_range"),
        ({"name": "x", "per_minute": "9"}, "invalid_type"),
        ({"name": "x", "expires_at": "2001-01-01T00:00:00Z"}, "out_of_range"),
        ({"name": "x", "expires_at": "9999-01-01T00:00:00Z"}, "out_of_range"),
        ({"name": "x", "secret": "mine"}, "unknown_field"),
        ({"name": "x", "body": "payload"}, "required"),  # the root is a group
        ({"name": "x", "body": "inputs"}, "required"),
        ({"name": "x", "body": "inputs", "inputs": {"x": ["a"]}}, "unknown_task"),
        ({"name": "x", "body": "inputs", "inputs": {"{other}": ["a"]}}, "unknown_task"),
        ({"name": "x", "body": "inputs", "inputs": {"{root}": ["a"]}}, "no_inputs"),
        ({"name": "x", "body": "inputs", "inputs": {"{load}": "a"}}, "invalid_type"),
        ({"name": "x", "body": "inputs", "inputs": {"{load}": []}}, "invalid_type"),
        ({"name": "x", "body": "inputs", "inputs": {"{load}": [1]}}, "invalid_type"),
        ({"name": "x", "body": "inputs", "inputs": {"{load}": ["x" * 256]}}, "too_long"),
    ],
)
def test_what_is_wrong_is_told(api, tree, path, load, body, code):
    api.post(path, {"name": "taken"})
    ids = {
        "{load}": load,
        "{root}": str(task_named(tree, "Report").pk),
        "{other}": str(task_named(make_tree(task("elsewhere"), owner=tree.owner), "elsewhere").pk),
    }
    if "inputs" in body:
        body = {**body, "inputs": {ids.get(key, key): names for key, names in body["inputs"].items()}}
    assert refusal(api.post(path, body)) == (400, code)
    assert Trigger.objects.count() == 1


def test_a_root_that_does_work_takes_a_payload_unless_told_otherwise(api):
    tree = make_tree(task("only"), owner=make_user("ann"))
    made = api.post(f"trees/{tree.pk}/triggers/", {"name": "x", "body": "payload"}).json()
    assert made["inputs"] == {str(task_named(tree, "only").pk): ["payload"]}


def test_an_expiry_is_kept_and_taken_away(api, path):
    soon = (timezone.now() + timedelta(days=1)).isoformat()
    where = api.post(path, {"name": "x", "expires_at": soon})["Location"]
    assert api.get(where).json()["expires_at"] is not None
    assert api.patch(where, {"expires_at": None}).json()["expires_at"] is None


def test_no_body_any_more_forgets_the_inputs(api, path, load):
    where = api.post(path, {"name": "x", "body": "inputs", "inputs": {load: ["a"]}})["Location"]
    assert api.patch(where, {"body": "none"}).json()["inputs"] == {}


def test_shares_and_viewers_have_no_triggers(tree, path, ann):
    one = triggers.trigger_create(user=ann, tree_id=tree.pk, fields={"name": "nightly"}).pk
    for name in ("bob", "carla"):
        client = Api(make_user(name))
        answers = [
            client.get(path), client.post(path, {"name": "x"}), client.get(f"{path}{one}/"),
            client.patch(f"{path}{one}/", {"enabled": False}), client.post(f"{path}{one}/rotate/"),
            client.delete(f"{path}{one}/"),
        ]  # fmt: skip
        assert [a.status_code for a in answers] == [403] * 6
    make_user("ann", role="viewer")
    assert Api(make_user("ann", role="viewer")).post(path, {"name": "x"}).status_code == 403
    assert Trigger.objects.get(enabled=True).pk == one


def test_a_token_for_running_makes_no_triggers(ann, path):
    assert refusal(with_token(ann, "run").post(path, {"name": "x"})) == (403, "token_scope")


def test_a_trigger_of_another_tree_is_not_found_here(api, tree, path):
    one = api.post(path, {"name": "x"}).json()["id"]
    other = make_tree(owner=make_user("ann"))
    for number in (one, 10**30):
        where = f"trees/{other.pk}/triggers/{number}/"
        answers = [api.get(where), api.patch(where, {"enabled": False}), api.post(f"{where}rotate/"), api.delete(where)]
        assert [a.status_code for a in answers] == [404] * 4


def test_an_archive_gets_none(api, tree, path):
    type(tree).objects.filter(pk=tree.pk).update(archived_at=timezone.now())
    assert refusal(api.post(path, {"name": "x"})) == (409, "archived")
    type(tree).objects.filter(pk=tree.pk).update(archived_at=None)


def test_there_is_a_limit(api, path, monkeypatch):
    monkeypatch.setattr(triggers, "MAX_TRIGGERS", 1)
    assert api.post(path, {"name": "x"}).status_code == 201
    assert refusal(api.post(path, {"name": "y"})) == (400, "too_many")


def test_a_list_has_filters_and_costs_the_same_for_many(api, path):
    def cost():
        with CaptureQueriesContext(connection) as captured:
            api.get(path)
        return len(captured)

    api.post(path, {"name": "t0", "enabled": False})
    few = cost()
    for number in range(1, 12):
        api.post(path, {"name": f"t{number}"})
    assert cost() == few
    assert [t["name"] for t in api.get(f"{path}?enabled=false").json()["items"]] == ["t0"]
    assert [t["name"] for t in api.get(f"{path}?ordering=-name&page_size=1").json()["items"]] == ["t9"]
