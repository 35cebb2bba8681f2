"""The address of a trigger: what starts a run, what does not, and what it tells."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from apflow_site.logs import JsonFormatter, PlainFormatter
from orchestration.domain.triggers import WINDOW_S
from orchestration.models import AuditEntry, Run, Tree, Trigger, TriggerUse
from orchestration.services.trees import tree_delete
from orchestration.services.triggers import address_of, secret_of, trigger_change, trigger_delete, trigger_rotate
from tests.dashboard.conftest import signed_in
from tests.factories import make_user, task_named
from tests.triggers.conftest import Sender, end, refusal

pytestmark = pytest.mark.django_db
UNKNOWN = "/hooks/AAAAAAAAAAAAAAAA/" + "A" * 43 + "/"


def test_a_post_starts_a_run_with_the_owner_s_rights(tree, make):
    trigger = make()
    answer = Sender(trigger).send()
    run = Run.objects.get()
    assert answer.status_code == 202
    assert answer.json() == {"run": run.pk, "started": True, "url": f"http://testserver/runs/{run.pk}"}
    assert (run.started_by, run.started_via, run.tree) == (tree.owner, "trigger nightly-build", tree)
    assert run.events.get(seq=1).data["via"] == "trigger nightly-build"
    trigger.refresh_from_db()
    assert (trigger.use_count, trigger.last_used_at) == (1, run.started_at)
    assert "no-store" in answer["Cache-Control"]
    assert not answer.cookies


def test_what_started_it_is_told_everywhere(tree, make):
    Sender(make(name="<b>nightly")).send()
    run, client = Run.objects.get(), signed_in(tree.owner)
    for address in (f"/runs/{run.pk}", f"/runs/{run.pk}/events", "/runs/"):
        page = client.get(address).content.decode()
        assert "trigger &lt;b&gt;nightly" in page, address
        assert "<b>nightly" not in page
    shown = client.get(f"/api/v1/runs/{run.pk}/").json()
    assert (shown["started_by"], shown["started_via"]) == ("ann", "trigger <b>nightly")
    entry = AuditEntry.objects.get(action="run.start")
    told = json.loads(entry.details)
    assert (entry.target, entry.actor, entry.ip) == (f"run:{run.pk}", "", "127.0.0.1")
    assert (told["via"], told["rights_of"], told["door"]) == ("trigger <b>nightly", "ann", "hooks")


def test_the_link_tells_strangers_nothing(make):
    link = Sender(make()).send().json()["url"]
    make_user("eve")
    assert Sender(None, link).client.get(link).status_code == 302
    assert signed_in(make_user("eve")).get(link).status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_post_starts_anything(make, method):
    sender = Sender(make())
    known, unknown = sender.send(method=method), Sender(None, UNKNOWN).send(method=method)
    assert known.status_code == unknown.status_code == 405
    assert known.content == unknown.content
    assert not Run.objects.exists()


def test_all_that_opens_nothing_answers_alike(tree, make):
    trigger, signed = make(), make("signed", proof="signature")
    good, other = address_of(trigger, secret=True), make("other")
    addresses = [
        UNKNOWN,
        address_of(trigger, secret=False),
        good.rstrip("/") + "x/",
        good[:-2] + "/",
        f"/hooks/{trigger.public_id}/{secret_of(other)}/",
        f"/hooks/{signed.public_id}/",
        f"/hooks/{signed.public_id}/{secret_of(signed)}/",
        "/hooks/", "/hooks", "/hooks/a/b/c/d", "/hooks/%00/x/", "/hooks/ü/ü/",
    ]  # fmt: skip
    answers = [Sender(None, address).send(b"not even json") for address in addresses]
    answers.append(Sender(signed).send(b"{}", X_Apflow_Signature="t=1,v1=" + "0" * 64))
    answers.append(Sender(signed).signed(b"{}", secret="guess"))
    for change in ({"enabled": False}, {"expires_at": timezone.now()}):
        Trigger.objects.filter(pk=trigger.pk).update(**change)
        answers.append(Sender(trigger).send())
        Trigger.objects.filter(pk=trigger.pk).update(enabled=True, expires_at=None)
    User.objects.filter(pk=tree.owner_id).update(is_active=False)
    answers.append(Sender(trigger).send())
    User.objects.filter(pk=tree.owner_id).update(is_active=True)
    address = address_of(trigger, secret=True)
    trigger_delete(user=tree.owner, tree_id=tree.pk, trigger_id=trigger.pk)
    answers.append(Sender(None, address).send())
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.content for answer in answers} == {answers[0].content}
    assert len({str(sorted(answer.headers)) for answer in answers}) == 1
    assert not Run.objects.exists()


def test_a_new_secret_ends_the_old_one(tree, make):
    trigger = make()
    old = address_of(trigger, secret=True)
    rotated = trigger_rotate(user=tree.owner, tree_id=tree.pk, trigger_id=trigger.pk)
    assert address_of(rotated, secret=True) != old
    assert Sender(None, old).send().status_code == 404
    assert Sender(rotated).send().status_code == 202


def test_another_server_key_opens_nothing(make, settings):
    address = address_of(make(), secret=True)
    settings.SECRET_KEY = "another " * 10
    assert Sender(None, address).send().status_code == 404


def test_the_rights_of_the_owner_count_when_it_starts(tree, make):
    sender = Sender(make())
    tree.owner.groups.clear()
    assert refusal(sender.send()) == (404, "not_found")
    entry = AuditEntry.objects.get(action="trigger.refused")
    assert json.loads(entry.details)["code"] == "forbidden"
    make_user("ann")
    assert sender.send().status_code == 202


def test_signed_requests(make):
    trigger = make(proof="signature")
    sender = Sender(trigger)
    assert address_of(trigger, secret=True) == f"/hooks/{trigger.public_id}/"
    assert sender.send().status_code == 404
    assert sender.signed().status_code == 202


@pytest.mark.parametrize("sign", [1, -1])
def test_a_signature_is_good_for_five_minutes(make, sign):
    sender, now = Sender(make(proof="signature")), int(time.time())
    assert refusal(sender.signed(at=now + sign * (WINDOW_S + 5))) == (400, "stale_signature")
    assert sender.signed(at=now + sign * (WINDOW_S - 20)).status_code == 202


def test_a_signature_covers_the_body_and_the_time(make):
    sender = Sender(make(proof="signature"))
    at = int(time.time())
    good = sender.signed(b"{}", at=at).wsgi_request.headers["X-Apflow-Signature"]
    assert sender.send(b'{"a":1}', X_Apflow_Signature=good).status_code == 404
    assert sender.send(b"{}", X_Apflow_Signature=good.replace(f"t={at}", f"t={at + 1}")).status_code == 404
    for odd in ("", "t=,v1=", good.upper(), good + ",v1=0", f"v1={good[-64:]}", "t=1" * 1000):
        assert sender.send(b"{}", X_Apflow_Signature=odd).status_code == 404


def test_a_signed_request_is_carried_out_once(tree, make):
    sender, at = Sender(make(proof="signature")), int(time.time())
    assert sender.signed(at=at).status_code == 202
    end(tree)
    assert refusal(sender.signed(at=at)) == (409, "replayed")
    assert sender.signed(at=at - 1).status_code == 202
    assert Run.objects.count() == 2


def test_a_refused_signed_request_may_be_sent_again(tree, make):
    sender, at = Sender(make(proof="signature")), int(time.time())
    Sender(make("other")).send()
    assert refusal(sender.signed(at=at)) == (409, "already_running")
    end(tree)
    assert sender.signed(at=at).status_code == 202


def test_old_signatures_are_forgotten(tree, make):
    sender = Sender(make(proof="signature"))
    sender.signed()
    TriggerUse.objects.update(at=timezone.now() - timedelta(seconds=2 * WINDOW_S + 2))
    end(tree)
    sender.signed(at=int(time.time()) - 1)
    assert TriggerUse.objects.count() == 1


def test_while_a_run_is_active(make):
    sender = Sender(make())
    run = sender.send().json()["run"]
    assert refusal(sender.send()) == (409, "already_running")
    skipped = sender.send(query="?if_running=skip")
    assert (skipped.status_code, skipped.json()["run"], skipped.json()["started"]) == (200, run, False)
    assert refusal(sender.send(query="?if_running=queue")) == (400, "invalid_choice")
    assert refusal(sender.send(query="?force=1")) == (400, "unknown_filter")
    assert Run.objects.count() == 1


def test_a_refusal_does_not_speak_of_what_is_in_the_tree(tree, make):
    sender = Sender(make())
    secret = task_named(tree, "load")
    type(secret).objects.filter(pk=secret.pk).update(executor="", name="merger talks", inputs={"with": "them"})
    answer = sender.send()
    assert refusal(answer) == (409, "draft_tasks")
    assert b"merger" not in answer.content
    Tree.objects.filter(pk=tree.pk).update(archived_at=timezone.now())
    assert refusal(sender.send()) == (409, "archived")
    Tree.objects.filter(pk=tree.pk).update(archived_at=None)


def test_sent_again_with_a_key_it_runs_once(tree, make):
    sender = Sender(make(body="payload", inputs={str(task_named(tree, "load").pk): ["payload"]}))
    first = sender.send(b'{"a": 1}', Idempotency_Key="k")
    end(tree)
    again = sender.send(b'{"a": 1}', Idempotency_Key="k")
    assert (again.status_code, again.json(), again["Idempotent-Replayed"]) == (202, first.json(), "true")
    assert refusal(sender.send(b'{"a": 2}', Idempotency_Key="k")) == (409, "idempotency_conflict")
    assert refusal(sender.send(Idempotency_Key="a key")) == (400, "invalid_header")
    assert Run.objects.count() == 1
    other = Sender(make("other"))
    assert other.send(Idempotency_Key="k").status_code == 202


def test_too_many_requests_wait(make):
    sender, other = Sender(make(per_minute=2)), Sender(make("other"))
    answers = [sender.send() for _ in range(3)]
    assert [a.status_code for a in answers] == [202, 409, 429]
    assert refusal(answers[2]) == (429, "throttled")
    assert 0 < int(answers[2]["Retry-After"]) <= 60
    assert other.send().status_code == 409


@pytest.mark.parametrize(
    ("body", "content_type", "wanted"),
    [
        (b"{", "application/json", (400, "invalid_json")),
        (b'{"a":1,"a":2}', "application/json", (400, "duplicate_key")),
        (b"\xff", "application/json", (400, "invalid_json")),
        (b"[" * 70 + b"]" * 70, "application/json", (400, "json_too_deep")),
        (b'{"a": NaN}', "application/json", (400, "invalid_json")),
        (b"a=1", "application/x-www-form-urlencoded", (415, "unsupported_media_type")),
        (b"{}", "text/plain", (415, "unsupported_media_type")),
    ],
)
def test_a_body_goes_through_the_strict_gate(make, body, content_type, wanted):
    assert refusal(Sender(make()).send(body, content_type=content_type)) == wanted
    assert not Run.objects.exists()


def test_a_large_body_is_refused_before_it_is_looked_at(make, settings):
    body = b'{"a": "' + b"x" * settings.MAX_BODY_BYTES + b'"}'
    for address in (None, UNKNOWN):
        assert refusal(Sender(make(f"t{address}"), address).send(body)) == (413, "body_too_large")


def test_no_log_line_holds_a_secret_address(make, caplog):
    trigger = make()
    sender = Sender(trigger)
    sender.send()
    sender.send()  # 409: Django writes the address down
    records = [r for r in caplog.records if trigger.public_id in r.getMessage()]
    assert records
    for record in records:
        for formatter in (JsonFormatter(), PlainFormatter()):
            line = formatter.format(record)
            assert trigger.public_id in line
            assert secret_of(trigger) not in line


def test_a_disabled_trigger_can_be_enabled_again(tree, make):
    trigger = make()
    for enabled, status in ((False, 404), (True, 202)):
        trigger_change(user=tree.owner, tree_id=tree.pk, trigger_id=trigger.pk, changes={"enabled": enabled})
        assert Sender(trigger).send().status_code == status


def test_a_deleted_tree_takes_its_triggers_along(tree, make):
    sender = Sender(make(proof="signature"))
    sender.signed()
    end(tree)
    tree_delete(user=tree.owner, tree_id=tree.pk)
    assert not Trigger.objects.exists()
    assert sender.signed().status_code == 404


def test_a_session_is_of_no_use_at_a_hook(tree, make):
    client = signed_in(tree.owner)
    assert client.post(f"/hooks/{make().public_id}/").status_code == 404
    assert not AuditEntry.objects.filter(action="refused").exists()
