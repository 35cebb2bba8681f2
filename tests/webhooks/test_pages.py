"""The pages of webhooks: made, changed, tested and deleted by plain forms; nobody sees another one's."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orchestration.models import AuditEntry, TreeShare, Webhook, WebhookDelivery
from orchestration.services.webhook_feed import Feed
from orchestration.services.webhook_secrets import secret_of
from tests.dashboard.conftest import signed_in
from tests.dashboard.rows import end_run, start
from tests.factories import make_tree, make_user, task
from tests.webhooks.support import hook

pytestmark = pytest.mark.django_db
URL = "https://example.com/hook"
FORM = {"url": URL, "name": "tickets", "events": ["run.failed", "task.failed"]}


@pytest.fixture
def ann():
    return make_user("ann")


@pytest.fixture
def page(ann):
    return signed_in(ann)


@pytest.fixture
def tree(ann):
    return make_tree(task("Report", executor=""), task("load"), owner=ann)


@pytest.fixture
def delivery(ann, tree):
    webhook, _ = hook(ann, URL)
    end_run(start(tree), "failed")
    Feed().make_deliveries()
    WebhookDelivery.objects.update(
        state="failed", attempts=7, response_code=500, last_at=timezone.now(), duration_ms=12, error="answered 500",
    )  # fmt: skip
    return WebhookDelivery.objects.get(webhook=webhook)


def test_a_webhook_is_made_and_its_secret_shown_once(page, tree):
    answer = page.post("/me/webhooks", FORM)
    webhook = Webhook.objects.get()
    assert (webhook.tree, webhook.name, webhook.events) == (None, "tickets", ["run.failed", "task.failed"])
    secret = secret_of(webhook.seed)
    assert secret in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    for path in ("/me/webhooks", f"/me/webhooks/{webhook.pk}", f"/trees/{tree.pk}/webhooks"):
        shown = page.get(path).content.decode()
        assert "tickets" in shown
        assert secret not in shown
        assert webhook.seed not in shown
    rotated = page.post(f"/me/webhooks/{webhook.pk}/rotate").content.decode()
    webhook.refresh_from_db()
    assert secret_of(webhook.seed) in rotated
    assert secret not in rotated
    actions = AuditEntry.objects.filter(action__startswith="webhook").values_list("action", flat=True)
    assert list(actions) == ["webhook.rotate", "webhook.create"]


def test_a_trees_webhook(page, tree):
    page.post(f"/trees/{tree.pk}/webhooks", FORM)
    assert Webhook.objects.get().tree == tree
    assert f"/trees/{tree.pk}/webhooks" in page.get(f"/trees/{tree.pk}").content.decode()


def test_what_is_wrong_is_said_and_what_was_typed_stays(page):
    answer = page.post("/me/webhooks", {"url": "http://10.0.0.1/x", "name": "intern"})
    shown = answer.content.decode()
    assert answer.status_code == 400
    assert "address not allowed" in shown
    assert "choose at least one event" in shown
    assert 'value="http://10.0.0.1/x"' in shown
    assert not re.search(r"<input[^>]*checked", shown)


def test_changing_switching_and_deleting(page, ann):
    webhook, _ = hook(ann, URL)
    path = f"/me/webhooks/{webhook.pk}"
    assert page.post(path, FORM | {"version": "1"}).status_code == 302
    assert page.post(path, FORM | {"version": "1", "name": "late"}).status_code == 409
    assert page.post(path, FORM | {"url": "ftp://x", "version": "2"}).status_code == 400
    page.post(f"{path}/switch", {"active": "0"})
    webhook.refresh_from_db()
    assert (webhook.name, webhook.active, webhook.version) == ("tickets", False, 3)
    page.post(f"{path}/switch", {"active": "1"})
    assert Webhook.objects.get().active
    assert page.post(f"{path}/delete")["Location"] == "/me/webhooks"
    assert not Webhook.objects.exists()


def test_the_log_a_test_and_sending_again(page, delivery):
    path = f"/me/webhooks/{delivery.webhook_id}"
    shown = page.get(path).content.decode()
    assert "run.failed" in shown
    assert "given up" in shown
    assert "500 · " in shown
    assert "run.failed" not in page.get(f"{path}?state=delivered").content.decode().split("set-h")[0]
    one = page.get(f"{path}/deliveries/{delivery.pk}").content.decode()
    assert str(delivery.uid) in one
    assert "answered 500" in one
    assert page.post(f"{path}/deliveries/{delivery.pk}/again").status_code == 302
    assert page.post(f"{path}/deliveries/{delivery.pk}/again").status_code == 409
    assert page.post(f"{path}/test").status_code == 302
    assert sorted(WebhookDelivery.objects.values_list("topic", "state")) == [
        ("ping", "pending"),
        ("run.failed", "pending"),
    ]


@pytest.mark.parametrize(
    ("who", "own", "tree_page"),
    [("ann", 200, 200), ("boss", 200, 200), ("bob", 404, 403), ("eve", 404, 404), ("staff", 404, 403)],
)
def test_who_sees_and_does_what(delivery, tree, who, own, tree_page):
    TreeShare.objects.create(tree=tree, user=make_user("bob"), right=TreeShare.RUN)
    make_user("eve")
    make_user("staff", is_staff=True)
    User.objects.create_superuser("boss")
    client = signed_in(User.objects.get(username=who))
    path = f"/me/webhooks/{delivery.webhook_id}"
    assert client.get(f"/trees/{tree.pk}/webhooks").status_code == tree_page
    assert client.get("/me/webhooks").status_code == 200
    for address in (path, f"{path}/deliveries/{delivery.pk}"):
        assert client.get(address).status_code == own
    done = 302 if own == 200 else 404
    for action in (f"deliveries/{delivery.pk}/again", "test", "switch", "delete"):
        assert client.post(f"{path}/{action}").status_code == done
    assert Webhook.objects.exists() == (own == 404)


def test_a_viewer_looks_but_has_no_webhooks(delivery):
    client = signed_in(make_user("ann", role="viewer"))  # was an operator before
    path = f"/me/webhooks/{delivery.webhook_id}"
    assert client.get(path).status_code == 200
    assert "Make webhook" not in client.get("/me/webhooks").content.decode()
    assert client.post("/me/webhooks", FORM).status_code == 403
    for action in ("", "/test", "/switch", "/rotate", "/delete", f"/deliveries/{delivery.pk}/again"):
        assert client.post(path + action, FORM).status_code == 403


def test_actions_by_get_are_refused(page, delivery):
    for action in ("test", "switch", "rotate", "delete", f"deliveries/{delivery.pk}/again"):
        assert page.get(f"/me/webhooks/{delivery.webhook_id}/{action}").status_code == 405


def test_the_pages_cost_the_same_for_many_rows(page, ann, tree, delivery):
    paths = ("/me/webhooks", f"/me/webhooks/{delivery.webhook_id}", f"/trees/{tree.pk}/webhooks")

    def cost(path):
        page.get(path)
        with CaptureQueriesContext(connection) as captured:
            page.get(path)
        return len(captured)

    few = [cost(path) for path in paths]
    for number in range(8):
        hook(ann, URL, tree=tree if number % 2 else None)
        end_run(start(tree), "failed")
    Feed().make_deliveries()
    assert [cost(path) for path in paths] == few
    assert max(few) <= 15


def test_a_long_log_has_pages(page, ann, delivery):
    row = WebhookDelivery.objects.get()
    for number in range(60):
        row.pk, row.seq, row.uid = None, 100 + number, f"00000000-0000-4000-8000-{number:012}"
        row.save(force_insert=True)
    first = page.get(f"/me/webhooks/{delivery.webhook_id}?state=failed").content.decode()
    assert first.count("data-row") == 50
    following = re.search(r'href="(\?[^"]*before=[^"]*)"', first)[1].replace("&amp;", "&")
    assert "state=failed" in following
    assert page.get(f"/me/webhooks/{delivery.webhook_id}{following}").content.decode().count("data-row") == 11
