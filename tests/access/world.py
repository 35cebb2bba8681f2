"""One of everything that ann owns, everybody who may ask for it, and the routes of the site."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.test import Client
from django.urls import get_resolver

from orchestration.conf import Conf
from orchestration.domain.operations import Bulk, Kind
from orchestration.domain.states import Status
from orchestration.domain.webhooks import DeliveryState
from orchestration.models import (
    ApiToken,
    Attempt,
    AuditEntry,
    BulkOperation,
    Event,
    Profile,
    SavedFilter,
    Secret,
    Tree,
    TreeDraft,
    TreeShare,
    WebhookDelivery,
    Worker,
)  # fmt: skip
from orchestration.selectors.bulk import bulk_preview
from orchestration.services.bulk import operation_create
from orchestration.services.drafts import draft_start
from orchestration.services.saved import filter_save
from orchestration.services.secrets import secret_set
from orchestration.services.tokens import token_create
from orchestration.services.triggers import secret_of, trigger_create
from orchestration.services.webhooks import webhook_create, webhook_test
from orchestration.services.workers import register
from tests.dashboard.rows import end_run, end_task, start
from tests.factories import grant, make_tree, make_user, task, task_named

ROLES = (
    "anonymous", "viewer", "owner", "other", "shared view", "shared run",
    "admin", "staff", "superuser", "read token", "run token",
)  # fmt: skip
APP_INDEX = "admin/<app_label>/"  # Django writes it as an alternative of all labels, in no certain order
SPECIAL = {
    r"^hooks/(?P<public_id>[\w-]{1,64})(?:/(?P<secret>[\w-]{1,128}))?/?$": "hooks/{public_id}/{secret}",
    r"^hooks(?:/|$)": "hooks/",
    r"^api/": "api/nonsense/",
    APP_INDEX: "admin/orchestration/",
    r"admin/(?P<url>.*)$": "admin/nonsense/",
    "admin/r/<path:content_type_id>/<path:object_id>/": "admin/r/{content_type_id}/{tree_id}/",
}
# what is asked, where asking for nothing would tell nothing
QUERIES = {"api/v1/compare/": "?a={run_a}&b={run_b}", "tasks/<uuid:task_id>/release": "?on={other_id}"}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tasks.get", "params": {"task_id": "{task_id}"}}
BODIES: dict[tuple[str, str], dict[str, object]] = {
    **{("POST", route): CALL for route in ("apflow", "apflow/", "apflow/tasks", "apflow/tasks/")},
    **{("POST", route): CALL | {"method": "system.health"} for route in ("apflow/system", "apflow/system/")},
    ("POST", "tasks/<uuid:task_id>/priority"): {"priority": "1"},
    ("POST", "api/v1/tasks/<uuid:task_id>/mixed/"): {"link_ids": ["{task_id}"]},
}
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


@dataclass
class World:
    """*ids*: what stands for each parameter of an address. *clients*: role -> a signed-in client."""

    ids: dict[str, object]
    clients: dict[str, Client]
    headers: dict[str, dict[str, str]]

    def address(self, route: str) -> str:
        """A path that *route* matches."""
        form = SPECIAL.get(route) or re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)
        model = route.split("/")[2] if route.startswith("admin/") and "object_id" in route else ""
        return (
            "/"
            + form.format(**self.ids | {"object_id": self.ids.get(f"admin {model}", 0)})
            + QUERIES.get(route, "").format(**self.ids)
        )

    def ask(self, role: str, method: str, route: str, client: Client | None = None):
        """The answer to *role* (or what *client* gets); whatever it changes is taken back."""
        client = client or self.clients[role]
        cookies = copy.deepcopy(client.cookies)  # POST logout/ takes them away
        body = BODIES.get((method, route), {}) if method in UNSAFE else None
        kind = "application/json" if for_programs(route) else "application/x-www-form-urlencoded"
        raw = "" if body is None else self._raw(body) if for_programs(route) else urlencode(body)
        with transaction.atomic():
            path, headers = self.address(route), self.headers.get(role, {})
            answer = client.generic(method, path, raw, content_type=kind, headers=headers)
            transaction.set_rollback(True)
        client.cookies = cookies
        return answer

    def _raw(self, body) -> str:
        return json.dumps(body).replace("{task_id}", str(self.ids["task_id"]))


def for_programs(route: str) -> bool:
    """Whether it answers JSON, and tokens are for it."""
    return route.startswith(("api/v1/", "apflow", "^api/"))


def routes() -> list[str]:
    """Every route of the site, as written in the URL configuration."""
    return list(_walk(get_resolver().url_patterns, ""))


def _walk(patterns, before):
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _walk(pattern.url_patterns, route)
        else:
            yield APP_INDEX if "(?P<app_label>" in route else route


def build() -> World:
    """ann's tree has a run that has ended and one under way, a share for bob (looking) and one for carla (running)."""
    ann = make_user("ann")
    tree = make_tree(task("Report", executor=""), task("load"), task("send", after=["load"]), owner=ann)
    load, send = task_named(tree, "load"), task_named(tree, "send")
    share = TreeShare.objects.create(tree=tree, user=make_user("bob"), right=TreeShare.VIEW)
    TreeShare.objects.create(tree=tree, user=make_user("carla"), right=TreeShare.RUN)
    first = start(tree)
    for one in (load, send):
        end_task(first, one)
    end_run(first, Status.FAILED)
    run = start(tree)
    trigger = trigger_create(user=ann, tree_id=tree.pk, fields={"name": "nightly"})
    webhook, _ = webhook_create(user=ann, url="https://example.com/", events=["run.failed"])
    delivery = webhook_test(user=ann, webhook_id=webhook.pk)
    WebhookDelivery.objects.update(state=DeliveryState.FAILED)
    found = bulk_preview(user=ann, kind=Kind.TREES, action=Bulk.LABEL, chosen=Tree.objects.filter(pk=tree.pk))
    register("there:1:aa", Conf())
    ids = {
        "tree_id": tree.pk, "task_id": send.pk, "other_id": load.pk, "run_id": run.pk, "run_a": first.pk,
        "run_b": run.pk, "number": 1, "share_id": share.pk, "token_id": token_create(user=ann, name="old")[0].pk,
        "name": secret_set(user=ann, name="mail", value="hunter22")[0].name,
        "filter_id": filter_save(user=ann, page="trees", name="mine", query="q=x").pk, "kind": "trees",
        "operation_id": operation_create(user=ann, kind=Kind.TREES, action=Bulk.LABEL, found=found).pk,
        "draft_id": draft_start(user=ann, array=[{"id": "x", "name": "x"}]).pk, "executor_id": "noop",
        "trigger_id": trigger.pk, "public_id": trigger.public_id, "secret": secret_of(trigger),
        "webhook_id": webhook.pk, "delivery_id": delivery.pk, "id": ann.pk, "object_id": tree.pk,
        "content_type_id": ContentType.objects.get_for_model(Tree).pk,
        "admin tree": tree.pk, "admin treeshare": share.pk, "admin task": send.pk, "admin run": run.pk,
        "admin attempt": Attempt.objects.get(task=send).pk, "admin event": Event.objects.get(run=run, seq=1).pk,
        "admin worker": Worker.objects.get().pk, "admin user": ann.pk,
        "admin auditentry": AuditEntry.objects.latest("seq").pk, "admin webhook": webhook.pk,
        "admin trigger": trigger.pk,
        "admin webhookdelivery": delivery.pk, "admin bulkoperation": BulkOperation.objects.get().pk,
        "admin treedraft": TreeDraft.objects.get().pk, "admin savedfilter": SavedFilter.objects.get().pk,
        "admin secret": Secret.objects.get().pk, "admin apitoken": ApiToken.objects.latest("id").pk,
        "admin profile": Profile.objects.get_or_create(user=ann)[0].pk,
        "admin group": Group.objects.get(name="viewer").pk,
    }  # fmt: skip
    return World(ids, *_people(ann))


def _people(ann):
    users = {
        "viewer": make_user("viewer", role="viewer"), "owner": ann, "other": make_user("eve"),
        "shared view": make_user("bob"), "shared run": make_user("carla"), "admin": make_user("adam", role="admin"),
        "staff": grant(make_user("stan", role=None, is_staff=True), "cancel_any"),
        "superuser": User.objects.create_superuser("boss"),
    }  # fmt: skip
    clients = {role: Client() for role in ROLES}
    for role, user in users.items():
        clients[role].force_login(user)
        clients[role].get("/healthz")  # renews the session once, not in each question, which is taken back
    secrets = {f"{scope} token": token_create(user=ann, name=scope, scope=scope)[1] for scope in ("read", "run")}
    return clients, {role: {"Authorization": f"Bearer {secret}"} for role, secret in secrets.items()}
