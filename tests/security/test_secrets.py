"""Secrets of a user: set, replaced, deleted by page and API; who can make them go where; keys that change."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from orchestration.builders.copy import tree_copy
from orchestration.builders.export import array_from_tree
from orchestration.domain.errors import Forbidden, Invalid
from orchestration.domain.secrets import SecretUnreadable
from orchestration.models import AuditEntry, Run, Secret, TreeShare
from orchestration.services import secret_keys, secrets
from orchestration.services.runs import run_start
from orchestration.services.trees import task_update
from orchestration.services.triggers import secret_of, trigger_create
from tests.api.conftest import Api, error_of, with_token
from tests.factories import make_tree, make_user, task, task_named
from tests.security.support import CANARY, keeper, leaks

pytestmark = [pytest.mark.django_db, pytest.mark.secrets]
TOKEN = {"$secret": "token"}


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def ann(db):
    return keeper(token=CANARY)


@pytest.fixture
def tree(ann):
    return make_tree(task("calls", executor="http", inputs={"url": "https://example.com", "headers": {"x": TOKEN}}),
                     owner=ann)  # fmt: skip


# --- by API and page -----------------------------------------------------------------------------------------------


def test_the_api_sets_lists_and_deletes_and_never_shows(ann):
    api = Api(ann)
    made = api.send("put", "secrets/mail", {"value": "hunter22"})
    assert made.status_code == 404  # addresses end with a slash
    made = api.send("put", "secrets/mail/", {"value": "hunter22"})
    assert (made.status_code, made.json()["name"]) == (200, "mail")
    assert [s["name"] for s in api.get("secrets/").json()["items"]] == ["token", "mail"]
    assert leaks(api.get("secrets/").content + api.get("secrets/token/").content) == []
    assert set(api.get("secrets/token/").json()) == {"name", "created_at", "updated_at"}
    before = Secret.objects.get(name="mail").sealed
    assert api.send("put", "secrets/mail/", {"value": "hunter23"}).status_code == 200
    assert Secret.objects.get(name="mail").sealed != before
    assert secrets.opened({"m": Secret.objects.get(name="mail").sealed}) == {"m": "hunter23"}
    assert api.delete("secrets/mail/").status_code == 204
    assert api.delete("secrets/mail/").status_code == 404
    told = list(
        AuditEntry.objects.filter(action__startswith="secret.").order_by("seq").values_list("action", "details")
    )
    assert [action for action, _ in told] == ["secret.set", "secret.set", "secret.set", "secret.delete"]
    assert "hunter" not in str(told)


@pytest.mark.parametrize(
    ("name", "value", "field", "code"),
    [
        ("ok", "", "value", "too_short"), ("ok", "abc", "value", "too_short"), ("ok", "x" * 16385, "value", "too_long"),
        ("ok", "abcd\x00", "value", "invalid_character"), ("ok", "    ", "value", "blank"),
        ("-no", "abcd", "name", "invalid_name"), ("a b", "abcd", "name", "invalid_name"),
        ("x" * 101, "abcd", "name", "invalid_name"), ("é", "abcd", "name", "invalid_name"),
    ],
)  # fmt: skip
def test_bad_secrets_are_refused(ann, name, value, field, code):
    with pytest.raises(Invalid) as refused:
        secrets.secret_set(user=ann, name=name, value=value)
    assert [(p.path, p.code) for p in refused.value.problems] == [(field, code)]


def test_only_people_who_may_build_have_secrets(ann):
    for api in (with_token(ann, "admin"), with_token(ann, "run"), Api(make_user("vera", role="viewer"))):
        assert api.send("put", "secrets/x/", {"value": "abcd"}).status_code == 403
        assert api.delete("secrets/token/").status_code == 403
    assert with_token(ann, "read").get("secrets/token/").status_code == 200
    assert Api(make_user("eve")).get("secrets/token/").status_code == 404
    assert Secret.objects.count() == 1


def test_there_is_a_limit(ann, monkeypatch):
    monkeypatch.setattr(secrets, "MAX_SECRETS", 1)
    secrets.secret_set(user=ann, name="token", value="again")
    with pytest.raises(Invalid, match="delete some first"):
        secrets.secret_set(user=ann, name="more", value="abcd")


def test_the_page_sets_and_deletes_and_never_shows(ann):
    page = Client()
    page.force_login(ann)
    assert page.post("/me/secrets", {"name": "pem", "value": "line one\r\nline two\r\n"}).status_code == 302
    assert secrets.opened({"p": Secret.objects.get(name="pem").sealed}) == {"p": "line one\nline two\n"}
    shown = page.get("/me/secrets")
    assert "no-store" in shown["Cache-Control"]
    assert (
        "{&quot;$secret&quot;: &quot;pem&quot;}" in shown.content.decode()
        or '{"$secret": "pem"}' in shown.content.decode()
    )
    assert leaks(shown.content) == []
    bad = page.post("/me/secrets", {"name": "pem", "value": "abc"})
    assert (bad.status_code, b"at least 4 characters" in bad.content, b"abc<" in bad.content) == (400, True, False)
    assert page.post("/me/secrets/pem/delete").status_code == 302
    assert page.post("/me/secrets/pem/delete").status_code == 404
    assert b"Secrets" in page.get("/me").content


def test_a_value_stands_nowhere_in_the_database(ann):
    assert leaks(str(list(Secret.objects.values()))) == []


# --- where they may be named ---------------------------------------------------------------------------------------


def test_what_only_looks_like_a_reference_is_refused_everywhere(ann, tree):
    for wrong in ({"$secret": "a b"}, {"$secret": "a", "x": 1}, {"$secret": None}):
        answer = Api(ann).post("trees/", {"tasks": [{"name": "t", "executor": "noop", "inputs": {"k": wrong}}]})
        assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_secret")
        assert error_of(answer)["field"] == "tasks[0].inputs.k"
        with pytest.raises(Invalid, match="write a secret as"):
            task_update(user=ann, task_id=task_named(tree, "calls").pk, version=1, changes={"params": {"k": [wrong]}})


def test_exports_and_copies_keep_the_reference(ann, tree):
    assert array_from_tree(tree)[0]["inputs"]["headers"] == {"x": TOKEN}
    bob = make_user("bob")
    TreeShare.objects.create(tree=tree, user=bob, right=TreeShare.VIEW)
    copied = tree_copy(user=bob, task_id=task_named(tree, "calls").pk)
    assert task_named(copied, "calls").inputs["headers"] == {"x": TOKEN}
    assert copied.owner == bob  # whose secret of that name it means from now on


def test_only_the_owner_can_change_where_a_secret_goes(ann, tree):
    carla, calls = make_user("carla"), task_named(tree, "calls")
    TreeShare.objects.create(tree=tree, user=carla, right=TreeShare.RUN)
    for inputs in ({"url": "https://carla.example"}, {"text": TOKEN}):
        with pytest.raises(Forbidden) as refused:
            run_start(user=carla, tree_id=tree.pk, overrides={str(calls.pk): {"inputs": inputs}})
        assert refused.value.code == "secret_borrowed"
    plain = make_tree(task("plain"), owner=ann)
    TreeShare.objects.create(tree=plain, user=carla, right=TreeShare.RUN)
    with pytest.raises(Forbidden, match="only the owner"):
        run_start(
            user=carla, tree_id=plain.pk, overrides={str(task_named(plain, "plain").pk): {"inputs": {"a": TOKEN}}}
        )
    assert Run.objects.count() == 0
    assert run_start(user=carla, tree_id=tree.pk, overrides={str(calls.pk): {"priority": 0}}).pk
    other = {str(task_named(plain, "plain").pk): {"inputs": {"a": TOKEN}}}
    assert run_start(user=ann, tree_id=plain.pk, overrides=other).pk


def test_the_body_of_a_trigger_asks_for_no_secret(ann):
    plain = make_tree(task("plain"), owner=ann)
    fields = {"name": "t", "body": "inputs", "inputs": {str(task_named(plain, "plain").pk): ["a"]}}
    trigger = trigger_create(user=ann, tree_id=plain.pk, fields=fields)
    path = f"/hooks/{trigger.public_id}/{secret_of(trigger)}"
    sent = Client().post(path, json.dumps({"a": TOKEN}), content_type="application/json")
    assert sent.status_code >= 400
    assert Run.objects.count() == 0


# --- keys ----------------------------------------------------------------------------------------------------------


def test_rotation_seals_anew_and_old_keys_open_until_they_are_forgotten(ann):
    first = secret_keys.keys()
    sealed = Secret.objects.get().sealed
    call_command("rotate_secrets")
    assert secret_keys.keys()[1:] == first
    assert Secret.objects.get().sealed != sealed
    assert secrets.opened({"a": Secret.objects.get().sealed, "b": sealed}) == {"a": CANARY, "b": CANARY}
    call_command("rotate_secrets", "--forget-old")
    assert len(secret_keys.keys()) == 1
    assert secrets.opened({"a": Secret.objects.get().sealed}) == {"a": CANARY}
    with pytest.raises(SecretUnreadable):
        secrets.opened({"b": sealed})
    assert secret_keys.key_file().stat().st_mode & 0o777 == 0o600


def test_what_no_key_opens_stops_the_rotation(ann):
    Secret.objects.update(sealed="gAAAAAB" + "x" * 60)
    with pytest.raises(CommandError, match="cannot be opened"):
        call_command("rotate_secrets", "--forget-old")
    assert len(secret_keys.keys()) == 1


def test_the_settings_may_hold_the_keys(ann, settings, data_dir):
    old = secret_keys.keys()[0]
    new = secret_keys.key_new()
    settings.SECRET_KEYS = [new, old]
    call_command("rotate_secrets")
    settings.SECRET_KEYS = [new]
    assert secrets.opened({"a": Secret.objects.get().sealed}) == {"a": CANARY}
    with pytest.raises(CommandError, match="APFLOW_SECRET_KEYS"):
        call_command("rotate_secrets", "--forget-old")
    assert (data_dir / secret_keys.FILE).read_text().split() == [old]


def test_processes_that_make_the_first_key_at_once_agree(data_dir, settings):
    code = "import django; django.setup(); from orchestration.services import secret_keys as k; print(k.seal('x' * 9))"
    environ = {"APFLOW_DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": "apflow_site.settings", "PATH": "/usr/bin"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environ, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    sealed = [process.communicate(timeout=120)[0].strip() for process in started]
    assert len(secret_keys.keys()) == 1
    assert [secret_keys.unseal(text) for text in sealed] == ["x" * 9] * 3
