"""The pages of a tree's triggers."""

from __future__ import annotations

import html
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestration.models import AuditEntry, Run, Trigger
from orchestration.services.triggers import address_of, secret_of
from tests.dashboard.conftest import signed_in
from tests.factories import task_named
from tests.triggers.conftest import Sender

pytestmark = pytest.mark.django_db
FORM = {"name": "nightly-build", "proof": "url", "body": "none", "days": "365", "per_minute": "10", "inputs": ""}

EDIT = {name: value for name, value in FORM.items() if name != "proof"}


@pytest.fixture
def client(ann):
    return signed_in(ann)


@pytest.fixture
def path(tree):
    return f"/trees/{tree.pk}/triggers"


def text(answer):
    return html.unescape(answer.content.decode())


def test_made_shown_once_and_used(client, tree, path):
    assert f'href="{path}"' in client.get(f"/trees/{tree.pk}").content.decode()
    assert "none yet" in text(client.get(path))
    made = client.post(path, FORM)
    assert "no-store" in made["Cache-Control"]
    address = re.search(r'value="http://testserver(/hooks/[^"]+)"', made.content.decode())[1]
    assert f'curl -X POST "http://testserver{address}"' in text(made)
    assert Sender(None, address).send().status_code == 202
    one = Trigger.objects.get()
    for page in (path, f"{path}/{one.pk}"):
        shown = text(client.get(page))
        assert "nightly-build" in shown
        assert secret_of(one) not in shown
    assert round((one.expires_at - one.created_at).total_seconds() / 86400) == 365
    assert f"trigger {one.name}" in text(client.get(f"/runs/{Run.objects.get().pk}"))


def test_a_signing_key_is_shown_with_what_to_do(client, tree, path):
    load = task_named(tree, "load")
    form = {**FORM, "proof": "signature", "body": "inputs", "task": str(load.pk), "inputs": "branch, day,", "days": "0"}
    shown = text(client.post(path, form))
    one = Trigger.objects.get()
    assert (one.inputs, one.expires_at) == ({str(load.pk): ["branch", "day"]}, None)
    assert f'value="{secret_of(one)}"' in shown
    assert "openssl dgst -sha256 -hmac" in shown
    assert "branch, day" in shown
    assert secret_of(one) not in text(client.get(one.get_absolute_url()))


def test_changed_disabled_enabled_renewed_deleted(client, tree, path, make):
    trigger = make()
    one, old = f"{path}/{trigger.pk}", address_of(trigger, secret=True)
    load = str(task_named(tree, "load").pk)
    form = {**EDIT, "name": "other", "body": "payload", "task": load, "inputs": "event", "days": "", "per_minute": "3"}
    assert client.post(one, form).status_code == 302
    trigger.refresh_from_db()
    told = (trigger.name, trigger.body, trigger.inputs, trigger.per_minute, trigger.expires_at)
    assert told == ("other", "payload", {load: ["event"]}, 3, None)
    assert client.post(f"{one}/switch").status_code == 302
    assert "disabled" in text(client.get(path))
    assert Sender(None, old).send().status_code == 404
    client.post(f"{one}/switch", {"enabled": "1"})
    renewed = client.post(f"{one}/rotate")
    trigger.refresh_from_db()
    assert address_of(trigger, secret=True) in renewed.content.decode()
    assert Sender(None, old).send().status_code == 404
    assert Sender(trigger).send().status_code == 202
    assert client.post(f"{one}/delete").status_code == 302
    assert Sender(trigger).send().status_code == 404
    actions = AuditEntry.objects.filter(action__startswith="trigger.").order_by("seq").values_list("action", flat=True)
    wanted = ["create", "update", "update", "update", "rotate", "delete"]
    assert list(actions) == [f"trigger.{word}" for word in wanted]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"name": "a\x00"}, {"name": "x" * 101}, {"proof": "trust"}, {"body": "all"}, {"days": "soon"},
        {"days": "99999999"}, {"per_minute": "0"}, {"per_minute": "many"}, {"body": "inputs"}, {"body": "payload"},
        {"body": "inputs", "task": "x", "inputs": "a"}, {"name": "taken"},
    ],
)  # fmt: skip
def test_a_bad_form_comes_back(client, path, make, wrong):
    one = make("taken")
    for page, posted in ((path, {**FORM, **wrong}), (make("x").get_absolute_url(), {**EDIT, **wrong})):
        if page != path and "proof" in wrong:
            continue  # it has one already
        answer = client.post(page, posted)
        assert answer.status_code == 400
        assert b'role="alert"' in answer.content
    assert set(Trigger.objects.values_list("name", flat=True)) == {one.name, "x"}


def test_inputs_of_several_tasks_are_left_as_they_are(client, tree, make):
    ids = [str(task_named(tree, name).pk) for name in ("load", "send")]
    one = make(body="inputs", inputs={ids[0]: ["a"], ids[1]: ["b"]})
    assert "several tasks" in text(client.get(one.get_absolute_url()))
    client.post(one.get_absolute_url(), {**EDIT, "name": "renamed"})
    one.refresh_from_db()
    assert (one.name, one.body, len(one.inputs)) == ("renamed", "inputs", 2)


def test_a_list_costs_the_same_for_many(client, path, make):
    def cost():
        with CaptureQueriesContext(connection) as captured:
            client.get(path)
        return len(captured)

    make("t0")
    cost()  # the first request of a session renews it
    few = cost()
    for number in range(1, 30):
        make(f"t{number}")
    assert cost() == few <= 20


def test_another_tree_s_trigger_is_not_found_here(client, tree, make, ann):
    one = make()
    for number in (one.pk + 1, 10**30):
        assert client.get(f"/trees/{tree.pk}/triggers/{number}").status_code == 404
        assert client.post(f"/trees/{tree.pk}/triggers/{number}/delete").status_code == 404
