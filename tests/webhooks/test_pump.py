"""From an event to the receiver and back into the log: signed, tried again, never lost, never to a private place."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.domain.states import Status
from orchestration.models import AuditEntry, Webhook, WebhookCursor, WebhookDelivery
from orchestration.services import webhook_feed
from orchestration.services.webhook_feed import Feed
from orchestration.services.webhooks import (
    delivery_redeliver,
    webhook_delete,
    webhook_rotate,
    webhook_test,
    webhook_update,
)
from tests.dashboard.rows import end_run, end_task, start
from tests.engine.support import EngineThread, ended, until
from tests.factories import grant, make_tree, make_user, task, task_named
from tests.webhooks.support import allow, failed_run, hook, pumping, settled
from tests.webhooks.verify import verify

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann():
    return grant(make_user("ann"), "http_private")


def test_a_run_of_a_real_engine_is_told_and_signed(ann, receiver, tmp_path):
    tree = make_tree(task("Report", executor=""), task("load"), owner=ann)
    _, secret = hook(ann, receiver.url, events=["run.started", "run.completed", "task.completed"])
    with EngineThread(tmp_path):
        run = ended(start(tree))
        rows = settled(4)
    assert sorted(receiver.events) == ["run.completed", "run.started", "task.completed", "task.completed"]
    for got in receiver.got:
        assert verify(secret, got.headers["X-Apflow-Signature"], got.body.encode())
        assert not verify("whsec_other", got.headers["X-Apflow-Signature"], got.body.encode())
        assert got.headers["X-Apflow-Delivery"] == got.content["id"]
        assert got.headers["X-Apflow-Event"] == got.content["event"]
    told = next(got.content for got in receiver.got if got.content["event"] == "run.completed")
    assert (told["tree"], told["run"]["id"]) == ({"id": tree.pk, "name": "Report"}, run.pk)
    assert (told["run"]["status"], told["run"]["completed"], told["run"]["total"]) == ("completed", 2, 2)
    assert {(row.state, row.response_code, row.response_excerpt, row.attempts) for row in rows} == {
        ("delivered", 200, "thanks", 1)
    }


def test_it_is_tried_again_with_the_same_id_until_it_arrives(ann, receiver):
    webhook, _ = hook(ann, receiver.url)
    receiver.answers += [500, (302, {"Location": receiver.url}, b""), 200]
    failed_run(ann)
    with pumping():
        (row,) = settled()
    assert (row.state, row.attempts, len(receiver.got)) == ("delivered", 3, 3)
    assert len({got.headers["X-Apflow-Delivery"] for got in receiver.got}) == 1
    assert [got.headers["X-Apflow-Attempt"] for got in receiver.got] == ["1", "2", "3"]
    assert len({got.body for got in receiver.got}) == 1
    webhook.refresh_from_db()
    assert webhook.failures == 0


def test_a_receiver_that_hangs_is_left_and_tried_again(ann, receiver, settings):
    settings.ORCHESTRATION = settings.ORCHESTRATION | {"webhook_timeout_s": 0.3}
    hook(ann, receiver.url)
    receiver.held = threading.Event()
    failed_run(ann)
    with pumping():
        until(lambda: WebhookDelivery.objects.filter(attempts=1).exists(), "the first try")
        assert "no answer within 0.3 s" in WebhookDelivery.objects.get().error
        receiver.held.set()
        (row,) = settled()
    assert row.state == "delivered"


def test_a_webhook_whose_receiver_never_answers_well_is_switched_off(ann, receiver):
    webhook, _ = hook(ann, receiver.url)
    receiver.answers += [503] * 100
    for _ in range(3):
        failed_run(ann)
    with pumping():
        settled(2)
        until(lambda: not Webhook.objects.get().active, "the switch off")
    webhook.refresh_from_db()
    assert "2 deliveries in a row could not be made; the last one: the receiver answered 503" in webhook.disabled_reason
    entry = AuditEntry.objects.get(action="webhook.disable")
    assert (entry.actor, entry.target) == ("", f"webhook:{webhook.pk}")
    webhook_update(user=ann, webhook_id=webhook.pk, changes={"active": True})
    webhook.refresh_from_db()
    assert (webhook.active, webhook.failures, webhook.disabled_reason) == (True, 0, "")
    receiver.answers.clear()
    failed_run(ann)
    with pumping():
        until(lambda: not WebhookDelivery.objects.filter(state="pending").exists(), "the deliveries that were held")


def test_gone_ends_it_at_once(ann, receiver):
    webhook, _ = hook(ann, receiver.url)
    receiver.answers += [410]
    failed_run(ann)
    with pumping():
        (row,) = settled()
    webhook.refresh_from_db()
    assert (row.state, row.attempts, webhook.active) == ("failed", 1, False)
    assert "410" in webhook.disabled_reason


def test_private_places_are_refused_without_a_connection(ann, receiver, settings):
    """Also a name that leads to one, and an address that was allowed when the webhook was made."""
    webhook, _ = hook(ann, receiver.url)
    other, _ = hook(ann, "http://public.example/hook")
    Webhook.objects.filter(pk=other.pk).update(url=f"http://localhost:{receiver.port}/hook")
    allow(settings, f"elsewhere.test:{receiver.port}")
    failed_run(ann)
    with pumping():
        rows = settled(2)
    assert receiver.got == []
    assert {(row.webhook_id, row.state, row.attempts) for row in rows} == {
        (webhook.pk, "failed", 1), (other.pk, "failed", 1),
    }  # fmt: skip
    assert all("address not allowed" in row.error for row in rows)


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/", "http://169.254.169.254/latest/", "file:///etc/passwd"])
def test_redirects_are_not_followed(ann, receiver, target):
    hook(ann, receiver.url)
    receiver.answers += [(307, {"Location": target}, b"")] * 4
    failed_run(ann)
    with pumping():
        (row,) = settled()
    assert (row.state, row.response_code, row.attempts) == ("failed", 307, 4)
    assert "redirects are not followed" in row.error


def test_a_long_or_binary_answer_is_kept_in_part_and_as_text(ann, receiver):
    hook(ann, receiver.url)
    receiver.answers += [(200, {}, b"<script>\0\xff" + b"x" * 100_000)]
    failed_run(ann)
    with pumping():
        (row,) = settled()
    assert row.response_excerpt.startswith("<script>\ufffd\ufffdxxx")
    assert len(row.response_excerpt) == 1000


def test_nothing_is_lost_when_the_engine_is_killed_at_any_step(ann, receiver, monkeypatch):
    """Before the deliveries are written, half-way through writing them, and between the claim and the answer."""
    hook(ann, receiver.url, events=["run.failed", "task.failed"])
    run = failed_run(ann)

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(WebhookCursor, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            Feed().make_deliveries()
    assert not WebhookDelivery.objects.exists()
    assert Feed().make_deliveries() == 2
    assert Feed().make_deliveries() == 0
    assert WebhookCursor.objects.get(run_id=run.pk).done
    later = timezone.now() + timedelta(seconds=30)
    WebhookDelivery.objects.filter(topic="task.failed").update(next_at=later)  # claimed by the one that was killed
    with pumping():
        settled(1)
        assert receiver.events == ["run.failed"]
        WebhookDelivery.objects.filter(topic="task.failed").update(next_at=timezone.now())
        settled(2)
    assert sorted(receiver.events) == ["run.failed", "task.failed"]


def test_many_events_are_told_in_steps(ann, receiver, monkeypatch):
    monkeypatch.setattr(webhook_feed, "EVENTS", 3)
    tree = make_tree(task("Report", executor=""), *(task(f"t{i}") for i in range(7)), owner=ann)
    hook(ann, receiver.url, events=["task.failed", "run.failed"], tree=tree)
    run = start(tree)
    for i in range(7):
        end_task(run, task_named(tree, f"t{i}"), Status.FAILED, error="x")
    feed = Feed()
    assert feed.make_deliveries() == 7
    end_run(run, Status.FAILED)
    assert feed.make_deliveries() == 1
    assert Feed().make_deliveries() == 0


def test_only_what_concerns_a_webhook_is_told(ann, receiver):
    eve = make_user("eve")
    mine, other = failed_run(ann).tree, failed_run(ann).tree  # before there was a webhook: not told
    account, _ = hook(ann, receiver.url)
    single, _ = hook(ann, receiver.url, tree=other)
    off, _ = hook(ann, receiver.url, active=False)
    strange, _ = hook(eve, receiver.url)
    for tree in (mine, other):
        end_run(start(tree), Status.COMPLETED)
    failed_run(make_user("bob"))
    Feed().make_deliveries()
    told = set(WebhookDelivery.objects.values_list("webhook_id", "tree_id", "topic"))
    assert told == {(w.pk, t.pk, "run.completed") for w, t in ((account, mine), (account, other), (single, other))}
    assert not WebhookDelivery.objects.filter(webhook__in=[off, strange]).exists()


def test_nothing_is_told_for_an_account_that_was_closed(ann, receiver):
    hook(ann, receiver.url)
    run = failed_run(ann)
    ann.is_active = False
    ann.save()
    assert Feed().make_deliveries() == 0
    assert not WebhookCursor.objects.filter(run_id=run.pk).exists()


def test_a_test_is_sent_once_also_while_it_is_off(ann, receiver):
    webhook, secret = hook(ann, receiver.url, active=False)
    receiver.answers += [500]
    with pumping():
        webhook_test(user=ann, webhook_id=webhook.pk)
        (row,) = settled()
    webhook.refresh_from_db()
    assert (row.state, row.attempts, row.topic, webhook.failures) == ("failed", 1, "ping", 0)
    assert verify(secret, receiver.got[0].headers["X-Apflow-Signature"], receiver.got[0].body.encode())


def test_sending_again_keeps_the_id(ann, receiver):
    webhook, _ = hook(ann, receiver.url)
    receiver.answers += [500] * 4
    failed_run(ann)
    with pumping():
        (row,) = settled()
        assert row.state == "failed"
        delivery_redeliver(user=ann, webhook_id=webhook.pk, delivery_id=row.pk)
        until(lambda: WebhookDelivery.objects.filter(state="delivered").exists(), "the second round")
    assert len({got.headers["X-Apflow-Delivery"] for got in receiver.got}) == 1
    assert WebhookDelivery.objects.get().attempts == 1


def test_after_a_rotation_both_secrets_verify_for_a_day(ann, receiver, settings):
    webhook, old = hook(ann, receiver.url)
    _, new = webhook_rotate(user=ann, webhook_id=webhook.pk)
    with pumping():
        webhook_test(user=ann, webhook_id=webhook.pk)
        settled()
        Webhook.objects.update(old_until=timezone.now())
        webhook_test(user=ann, webhook_id=webhook.pk)
        settled(2)
    first, second = (got.headers["X-Apflow-Signature"] for got in receiver.got)
    bodies = [got.body.encode() for got in receiver.got]
    assert new != old
    assert verify(old, first, bodies[0])
    assert verify(new, first, bodies[0])
    assert verify(new, second, bodies[1])
    assert not verify(old, second, bodies[1])


def test_another_signing_key_is_told_instead_of_signing_with_a_wrong_secret(ann, receiver, settings):
    webhook, secret = hook(ann, receiver.url)
    first, settings.SECRET_KEY = settings.SECRET_KEY, "another key " * 5
    with pumping():
        webhook_test(user=ann, webhook_id=webhook.pk)
        (row,) = settled()
        assert receiver.got == []
        assert "make a new secret" in row.error
        settings.SECRET_KEY_FALLBACKS = [first]
        webhook_test(user=ann, webhook_id=webhook.pk)
        settled(2)
    assert verify(secret, receiver.got[0].headers["X-Apflow-Signature"], receiver.got[0].body.encode())


def test_a_webhook_deleted_meanwhile_does_no_harm(ann, receiver):
    webhook, _ = hook(ann, receiver.url)
    receiver.held = threading.Event()
    failed_run(ann)
    with pumping():
        until(lambda: receiver.got, "the first try")
        webhook_delete(user=ann, webhook_id=webhook.pk)
        receiver.held.set()
    assert not WebhookDelivery.objects.exists()


def test_a_run_without_news_costs_no_transaction(ann, receiver, django_assert_num_queries):
    hook(ann, receiver.url, events=["run.started", "run.completed"])
    start(make_tree(owner=ann))
    feed = Feed()
    assert feed.make_deliveries() == 1
    with django_assert_num_queries(2):  # the webhooks and the open runs
        assert feed.make_deliveries() == 0
