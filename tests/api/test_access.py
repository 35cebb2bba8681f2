"""Who may do what: every address of the API, for everybody. An address without a row fails."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import get_resolver

from orchestration.domain.webhooks import DeliveryState
from orchestration.models import ApiToken, AuditEntry, Tree, TreeShare, WebhookDelivery
from orchestration.services.runs import run_start
from orchestration.services.tokens import token_create
from orchestration.services.triggers import address_of, trigger_create
from orchestration.services.webhooks import webhook_create, webhook_test
from tests.api.conftest import Api, error_of, with_token
from tests.factories import make_tree, make_user, task, task_named

pytestmark = [pytest.mark.django_db, pytest.mark.authz]

CAST = ("nobody", "viewer", "ann", "stranger", "boss", "read token", "run token")
OPEN = (401, 200, 200, 200, 200, 200, 200)  # what everybody signed in may see
OWN = (401, 404, 200, 404, 200, 200, 200)  # ann's, and staff sees all
MAKE = (401, 403, 201, 201, 201, 403, 403)  # everybody with a role that creates; no token below admin
EDIT = (401, 404, 200, 404, 200, 403, 403)
RUN = (401, 404, 200, 404, 200, 403, 200)
CLONE = (401, 404, 201, 404, 201, 403, 403)
GONE = (401, 404, 204, 404, 204, 403, 403)
NONE = (404,) * 7
AUDIT = (401, 403, 403, 403, 200, 403, 403)
# addresses whose rows are in tests/access/matrix.py alone: there each route of the site has one
ELSEWHERE = {
    "api_task_move", "api_operations", "api_operation", "api_operation_stop", "api_filters", "api_filter", "api_me",
    "api_secrets", "api_secret",
}  # fmt: skip
# (method, name of the address): answers for CAST, in that order
MATRIX = {
    ("GET", "api_root"): OPEN,
    ("GET", "api_trees"): OPEN,
    ("POST", "api_trees"): MAKE,
    ("POST", "api_tree_import"): MAKE,
    ("POST", "api_tree_bulk"): (401, 200, 200, 200, 200, 403, 200),  # an outcome per tree: test_resources
    ("GET", "api_tree"): OWN,
    ("PATCH", "api_tree"): EDIT,
    ("DELETE", "api_tree"): GONE,
    ("GET", "api_tree_tasks"): OWN,
    ("GET", "api_tree_dependencies"): OWN,
    ("GET", "api_tree_runs"): OWN,
    ("POST", "api_tree_runs"): (401, 404, 202, 404, 202, 403, 202),
    ("POST", "api_tree_limit"): EDIT,
    ("GET", "api_tree_shares"): OWN,  # not those with whom it is shared: test_shares
    ("POST", "api_tree_shares"): CLONE,
    ("GET", "api_tree_share"): OWN,
    ("PATCH", "api_tree_share"): EDIT,
    ("DELETE", "api_tree_share"): GONE,
    ("GET", "api_tree_triggers"): OWN,  # not those with whom it is shared: tests/triggers
    ("POST", "api_tree_triggers"): CLONE,
    ("GET", "api_tree_trigger"): OWN,
    ("PATCH", "api_tree_trigger"): EDIT,
    ("DELETE", "api_tree_trigger"): GONE,
    ("POST", "api_trigger_rotate"): EDIT,
    ("POST", "api_hook"): (202,) * 7,  # whoever knows the address: tests/triggers
    ("POST", "api_hook_unknown"): NONE,
    ("GET", "api_tree_export"): OWN,
    ("GET", "api_tree_dry_run"): OWN,
    ("GET", "api_tasks"): OPEN,
    ("GET", "api_task"): OWN,
    ("PATCH", "api_task"): EDIT,
    ("POST", "api_task_cancel"): RUN,
    ("POST", "api_task_priority"): RUN,
    ("GET", "api_task_attempts"): OWN,
    ("GET", "api_task_attempt"): (401, 404, 404, 404, 404, 404, 404),  # nothing has run
    ("GET", "api_task_explain"): OWN,
    ("GET", "api_task_dependencies"): OWN,
    ("POST", "api_task_dependencies"): CLONE,
    ("GET", "api_task_dependency"): OWN,
    ("PATCH", "api_task_dependency"): EDIT,
    ("DELETE", "api_task_dependency"): GONE,
    ("POST", "api_task_copy"): CLONE,
    ("POST", "api_task_link"): (401, 404, 409, 404, 403, 403, 403),  # not completed; staff may not link others' work
    ("POST", "api_task_archive"): (401, 404, 409, 404, 409, 403, 403),
    ("POST", "api_task_mixed"): (401, 404, 409, 404, 403, 403, 403),
    ("GET", "api_runs"): OPEN,
    ("GET", "api_run"): OWN,
    ("POST", "api_run_cancel"): RUN,
    ("POST", "api_run_retry"): (401, 404, 409, 404, 409, 403, 409),  # it is active
    ("GET", "api_run_attempts"): OWN,
    ("GET", "api_run_events"): OWN,
    ("GET", "api_run_explain"): OWN,
    ("GET", "api_compare"): OWN,
    ("GET", "api_executors"): OPEN,
    ("GET", "api_executor"): OPEN,
    ("GET", "api_queue"): OPEN,
    ("GET", "api_workers"): OPEN,
    ("GET", "api_me"): OPEN,
    ("GET", "api_tokens"): OPEN,
    ("POST", "api_tokens"): (401, 201, 201, 201, 201, 403, 403),
    ("DELETE", "api_token"): (401, 404, 200, 404, 200, 403, 403),
    ("GET", "api_webhooks"): OPEN,
    ("POST", "api_webhooks"): MAKE,
    ("GET", "api_webhook"): OWN,
    ("PATCH", "api_webhook"): EDIT,
    ("DELETE", "api_webhook"): (401, 404, 204, 404, 204, 403, 403),
    ("POST", "api_webhook_rotate"): EDIT,
    ("POST", "api_webhook_test"): (401, 404, 202, 404, 202, 403, 403),
    ("GET", "api_webhook_deliveries"): OWN,
    ("GET", "api_webhook_delivery"): OWN,
    ("POST", "api_webhook_redeliver"): (401, 404, 202, 404, 202, 403, 403),
    ("GET", "api_audit"): AUDIT,
    ("GET", "api_schema"): OPEN,
    ("GET", "api_docs"): (302, 200, 200, 200, 200, 302, 302),  # a page: tokens are not for pages
    ("GET", "api_unknown"): NONE,
}  # fmt: skip
NEEDS_RUN = {"api_task_cancel", "api_run", "api_run_cancel", "api_run_retry", "api_run_attempts", "api_run_events",
             "api_run_explain", "api_compare"}  # fmt: skip


@pytest.fixture
def world():
    ann = make_user("ann")
    tree = make_tree(task("Report", executor=""), task("load"), task("send", after=["load"]), owner=ann)
    make_user("viewer", role="viewer")
    TreeShare.objects.create(tree=tree, user=make_user("friend"))
    trigger_create(user=ann, tree_id=tree.pk, fields={"name": "nightly"})
    make_user("stranger")
    User.objects.create_superuser("boss", password="secret")
    return tree


def client_of(who):
    if who == "nobody":
        return Api()
    if who.endswith(" token"):
        return with_token(User.objects.get(username="ann"), who.split()[0])
    return Api(User.objects.get(username=who))


def webhook_of(tree):
    """The path of a webhook of the tree's owner, and of a delivery to it."""
    webhook, _ = webhook_create(user=tree.owner, url="https://example.com/", events=["run.failed"])
    delivery = webhook_test(user=tree.owner, webhook_id=webhook.pk)
    WebhookDelivery.objects.update(state=DeliveryState.FAILED)
    return f"webhooks/{webhook.pk}/", f"webhooks/{webhook.pk}/deliveries/{delivery.pk}/"


def request_for(tree, method, name, token_id):
    run = run_start(user=tree.owner, tree_id=tree.pk).pk if name in NEEDS_RUN else 0
    load = str(task_named(tree, "load").pk)
    trees, tasks, runs = f"trees/{tree.pk}/", f"tasks/{load}/", f"runs/{run}/"
    edge = f"tasks/{task_named(tree, 'send').pk}/dependencies/{load}/"
    trigger = tree.triggers.get()
    hook, delivery = webhook_of(tree) if "webhook" in name else ("", "")
    word = name.removeprefix("api_").replace("_", "-")
    special = {
        "api_root": "", "api_tree": trees, "api_task": tasks, "api_run": runs, "api_trees": "trees/",
        "api_tree_import": "trees/import/", "api_tree_bulk": "trees/bulk/", "api_tree_dry_run": f"{trees}dry-run/",
        "api_task_attempt": f"{tasks}attempts/1/", "api_compare": f"compare/?a={run}&b={run}",
        "api_executor": "executors/noop/", "api_token": f"tokens/{token_id}/", "api_docs": "/api/docs/",
        "api_webhook": hook, "api_webhook_delivery": delivery, "api_webhook_redeliver": f"{delivery}redeliver/",
        "api_unknown": "nonsense/", "api_task_dependency": edge,
        "api_tree_trigger": f"{trees}triggers/{trigger.pk}/", "api_hook": address_of(trigger, secret=True),
        "api_trigger_rotate": f"{trees}triggers/{trigger.pk}/rotate/", "api_hook_unknown": "/hooks/nonsense/",
        "api_tree_share": f"{trees}shares/{tree.shares.get().pk}/",
    }  # fmt: skip
    bodies = {
        "api_trees": {"tasks": [{"name": "x"}]}, "api_tree_import": {"text": '[{"name": "x"}]'},
        "api_tree_bulk": {"action": "run", "ids": []}, "api_tree": {"labels": ["x"]},
        "api_tree_limit": {"max_parallel": 1}, "api_task": {"priority": 1, "version": 1},
        "api_task_dependencies": {"depends_on": str(task_named(tree, "Report").pk)},
        "api_tree_triggers": {"name": "x"}, "api_tree_trigger": {"enabled": False},
        "api_tree_shares": {"username": "stranger", "right": "view"}, "api_tree_share": {"right": "run"},
        "api_task_dependency": {"required": False, "version": 1},
        "api_task_priority": {"priority": 1}, "api_task_mixed": {"link_ids": [load]}, "api_tokens": {"name": "x"},
        "api_webhooks": {"url": "https://example.com/", "events": ["run.failed"]}, "api_webhook": {"name": "x"},
    }  # fmt: skip
    groups = {"tree": trees, "task": tasks, "run": runs, "webhook": hook}
    first, _, rest = word.partition("-")
    path = special.get(name) or (f"{groups[first]}{rest}/" if rest else f"{word}/")
    return ("" if name == "api_root" else path), bodies.get(name, {}) if method in ("POST", "PATCH") else None


@pytest.mark.parametrize(("method", "name"), MATRIX, ids=lambda v: v.removeprefix("api_"))
def test_matrix(world, method, name):
    """Everybody asks the same; what it changed is taken back, so that the next one finds what the first has found."""
    token, _ = token_create(user=world.owner, name="old")
    path, body = request_for(world, method, name, token.pk)
    wrong = []
    for who, expected in zip(CAST, MATRIX[method, name], strict=True):
        with transaction.atomic():
            answer = client_of(who).send(method, path, body)
            transaction.set_rollback(True)
        if answer.status_code != expected:
            wrong.append((who, answer.status_code, answer.content[:300]))
        elif answer.status_code >= 400:
            assert set(error_of(answer)) == {"code", "message", "field"}, who
    assert wrong == []


def test_no_address_is_without_a_row():
    def addresses(patterns):
        for pattern in patterns:
            if hasattr(pattern, "url_patterns"):
                yield from addresses(pattern.url_patterns)
            elif (pattern.name or "").startswith("api_") and pattern.name not in ELSEWHERE:
                yield pattern

    unlisted = []
    for pattern in addresses(get_resolver().url_patterns):
        view = getattr(pattern.callback, "cls", None)
        methods = [m.upper() for m in ("get", "post", "put", "patch", "delete") if hasattr(view, m)] or ["GET"]
        unlisted += [(m, pattern.name) for m in methods if (m, pattern.name) not in MATRIX]
    assert unlisted == []


def test_a_share_for_looking_is_not_one_for_running(tree):
    bob, carla = Api(make_user("bob")), Api(make_user("carla"))
    assert bob.get(f"trees/{tree.pk}/").status_code == 200
    assert bob.post(f"trees/{tree.pk}/runs/").status_code == 403
    assert carla.delete(f"trees/{tree.pk}/").status_code == 403
    run = carla.post(f"trees/{tree.pk}/runs/")
    assert run.status_code == 202
    assert bob.get(f"runs/{run.json()['id']}/events/").status_code == 200
    refused = AuditEntry.objects.filter(action="refused").values_list("actor", flat=True)
    assert sorted(refused) == ["bob", "carla"]


def test_a_session_needs_the_csrf_token(tree):
    client = Api(tree.owner)
    client.client.handler.enforce_csrf_checks = True
    answer = client.post(f"trees/{tree.pk}/runs/")
    assert (answer.status_code, error_of(answer)["code"]) == (403, "csrf")
    assert Tree.objects.get(pk=tree.pk).run_count == 0


def test_all_unusable_tokens_get_the_same_answer(ann):
    revoked = token_create(user=ann, name="revoked")
    expired = token_create(user=ann, name="expired")
    gone = token_create(user=make_user("gone"), name="gone")
    ApiToken.objects.filter(pk=revoked[0].pk).update(revoked_at=revoked[0].created_at)
    ApiToken.objects.filter(pk=expired[0].pk).update(expires_at=expired[0].created_at)
    User.objects.filter(username="gone").update(is_active=False)
    secrets = [revoked[1], expired[1], gone[1], "apf_nonsense", "nonsense", "apf_\u00fc", ""]
    answers = [Api(token=s or " ").get("me/") for s in secrets]
    assert {a.status_code for a in answers} == {401}
    assert len({a.content for a in answers}) == 1
    assert {a["WWW-Authenticate"] for a in answers} == {'Bearer realm="apflow"'}
