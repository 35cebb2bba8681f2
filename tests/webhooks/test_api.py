"""Webhooks over the API: made, changed, tested, sent again, deleted; never somebody else's, never a secret twice."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from orchestration.models import AuditEntry, IdempotencyKey, Webhook, WebhookDelivery
from orchestration.services.webhook_feed import Feed
from orchestration.services.webhook_secrets import secret_of
from orchestration.services.webhooks import MAX_WEBHOOKS
from tests.api.conftest import Api, error_of
from tests.dashboard.rows import end_run, start
from tests.factories import grant, make_tree, make_user
from tests.webhooks.support import hook

pytestmark = pytest.mark.django_db
URL = "https://example.com/hook?token=canary"


@pytest.fixture
def ann():
    return grant(make_user("ann"), "http_private")


@pytest.fixture
def api(ann):
    return Api(ann)


def deliver(tree, status="completed"):
    end_run(start(tree), status)
    Feed().make_deliveries()


def test_the_secret_is_answered_once_and_stored_nowhere(api, ann):
    body = {"url": URL, "events": ["run.failed", "run.completed"], "name": "tickets"}
    made = api.post("webhooks/", body, Idempotency_Key="k")
    assert made.status_code == 201
    assert made["Cache-Control"] == "no-store"
    data = made.json()
    secret = data.pop("secret")
    assert secret.startswith("whsec_")
    assert secret.startswith(data["prefix"])
    assert data["events"] == ["run.completed", "run.failed"]
    webhook = Webhook.objects.get()
    assert secret_of(webhook.seed) == secret
    again = api.post("webhooks/", body, Idempotency_Key="k")
    assert (again["Idempotent-Replayed"], again.json()["secret"]) == ("true", "")
    assert api.get(made["Location"]).json() == data
    stored = str(list(Webhook.objects.values())) + str(list(IdempotencyKey.objects.values()))
    stored += str(list(AuditEntry.objects.values()))
    assert secret[10:] not in stored
    assert "canary" not in str(list(AuditEntry.objects.values()))
    assert webhook.seed not in str(data)


def test_a_new_secret(api, ann):
    webhook, old = hook(ann, URL)
    made = api.post(f"webhooks/{webhook.pk}/rotate/").json()
    webhook.refresh_from_db()
    assert (secret_of(webhook.seed), secret_of(webhook.old_seed)) == (made["secret"], old)
    assert made["old_until"] is not None
    assert AuditEntry.objects.filter(action="webhook.rotate", target=f"webhook:{webhook.pk}").exists()


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"url": "ftp://example.com/"}, "url", "invalid_url"),
        ({"url": "http://127.0.0.1/"}, "url", "blocked_address"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "url", "blocked_address"),
        ({"url": "http://169.254.169.254/latest/meta-data/"}, "url", "blocked_address"),
        ({"url": "https://example.com:22/"}, "url", "blocked_port"),
        ({"url": "https://ann:secret@example.com/"}, "url", "invalid_url"),
        ({"url": "https://[/"}, "url", "invalid_url"),
        ({"url": "https://example.com/\nX: y"}, "url", "invalid_character"),
        ({"url": "https://example.com/" + "x" * 2000}, "url", "too_long"),
        ({"url": 5}, "url", "invalid_type"),
        ({"events": []}, "events", "required"),
        ({"events": ["ping"]}, "events[0]", "invalid_choice"),
        ({"events": ["run.failed"] * 99}, "events", "too_long"),
        ({"name": "x" * 101}, "name", "too_long"),
        ({"secret": "mine"}, "secret", "unknown_field"),
        ({"active": "yes"}, "active", "unknown_field"),
    ],
)
def test_bad_fields_are_named(api, change, field, code):
    answer = api.post("webhooks/", {"url": URL, "events": ["run.failed"], **change})
    assert (answer.status_code, error_of(answer)["code"], error_of(answer)["field"]) == (400, code, field)
    assert not Webhook.objects.exists()


def test_there_is_a_limit(api, ann):
    rows = [Webhook.objects.get(pk=hook(ann, URL)[0].pk)]
    for _ in range(MAX_WEBHOOKS - 1):
        rows[0].pk = None
        rows[0].save(force_insert=True)
    answer = api.post("webhooks/", {"url": URL, "events": ["run.failed"]})
    assert error_of(answer)["code"] == "too_many"


def test_changes_with_versions(api, ann):
    webhook, _ = hook(ann, URL)
    path = f"webhooks/{webhook.pk}/"
    assert api.get(path)["ETag"] == '"1"'
    assert api.patch(path, {"name": "a", "active": False}, If_Match='"1"').json()["version"] == 2
    assert error_of(api.patch(path, {"name": "b"}, If_Match='"1"'))["code"] == "precondition_failed"
    assert error_of(api.patch(path, {"name": "b", "version": 1}))["code"] == "stale_version"
    assert error_of(api.patch(path, {"url": "http://10.0.0.1/"}))["code"] == "blocked_address"
    answer = api.patch(path, {"events": ["task.failed", "run.failed"], "active": True}).json()
    assert (answer["events"], answer["name"], answer["active"]) == (["run.failed", "task.failed"], "a", True)
    assert AuditEntry.objects.filter(action="webhook.update").count() == 2


def test_the_log_in_pages_and_by_filter(api, ann):
    webhook, _ = hook(ann, URL)
    tree = make_tree(owner=ann)
    for status in ("completed", "failed", "completed"):
        deliver(tree, status)
    path = f"webhooks/{webhook.pk}/deliveries/"
    first = api.get(f"{path}?page_size=2").json()
    rest = api.get(first["next"]).json()
    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [2, 1, None]
    assert [row["event"] for row in api.get(f"{path}?event=run.failed").json()["items"]] == ["run.failed"]
    assert len(api.get(f"{path}?state=pending").json()["items"]) == 3
    assert error_of(api.get(f"{path}?status=pending"))["code"] == "unknown_filter"
    one = api.get(f"{path}{first['items'][0]['id']}/").json()
    assert one["body"]["run"]["id"] == one["run"] == first["items"][0]["run"]
    assert "body" not in first["items"][0]


def test_sending_again_and_tests(api, ann):
    webhook, _ = hook(ann, URL)
    deliver(make_tree(owner=ann))
    delivery = WebhookDelivery.objects.get()
    path = f"webhooks/{webhook.pk}/deliveries/{delivery.pk}/"
    assert error_of(api.post(f"{path}redeliver/"))["code"] == "already_pending"
    WebhookDelivery.objects.update(state="failed", attempts=7, next_at=None)
    assert error_of(api.post(f"{path}redeliver/", {"x": 1}))["code"] == "unknown_field"
    again = api.post(f"{path}redeliver/")
    assert (again.status_code, again.json()["state"], again.json()["uid"]) == (202, "pending", str(delivery.uid))
    WebhookDelivery.objects.update(state="failed")
    api.patch(f"webhooks/{webhook.pk}/", {"active": False})
    assert error_of(api.post(f"{path}redeliver/"))["code"] == "webhook_off"
    ping = api.post(f"webhooks/{webhook.pk}/test/")
    assert (ping.status_code, ping.json()["event"]) == (202, "ping")
    assert api.get(ping["Location"]).json()["body"]["event"] == "ping"
    assert api.get(f"webhooks/{webhook.pk + 1}/deliveries/{delivery.pk}/").status_code == 404


def test_a_trees_webhook_belongs_to_its_owner(api, ann):
    tree = make_tree(owner=ann)
    body = {"url": URL, "events": ["run.failed"], "tree": tree.pk}
    assert Api(make_user("eve")).post("webhooks/", body).status_code == 404
    boss = Api(User.objects.create_superuser("boss"))
    made = boss.post("webhooks/", body).json()
    assert (made["owner"], made["tree"]) == ("ann", tree.pk)
    assert [row["id"] for row in api.get(f"webhooks/?tree={tree.pk}").json()["items"]] == [made["id"]]


def test_deleting_takes_the_log_along(api, ann):
    webhook, _ = hook(ann, URL)
    tree = make_tree(owner=ann)
    hook(ann, URL, tree=tree)
    deliver(tree)
    assert api.delete(f"webhooks/{webhook.pk}/").status_code == 204
    assert WebhookDelivery.objects.count() == 1
    assert api.delete(f"trees/{tree.pk}/").status_code == 204
    assert not Webhook.objects.exists()
    assert not WebhookDelivery.objects.exists()


def test_the_lists_cost_the_same_for_many_rows(api, ann, django_assert_num_queries):
    tree = make_tree(owner=ann)
    webhook, _ = hook(ann, URL)
    deliver(tree)
    paths = ("webhooks/", f"webhooks/{webhook.pk}/deliveries/")

    def cost(path):
        with django_assert_num_queries(10_000, exact=False) as captured:
            assert api.get(path).status_code == 200
        return len(captured)

    [cost(path) for path in paths]
    few = [cost(path) for path in paths]
    for _ in range(4):
        hook(ann, URL, tree=tree)
        deliver(tree)
    assert [cost(path) for path in paths] == few
    assert max(few) < 10
