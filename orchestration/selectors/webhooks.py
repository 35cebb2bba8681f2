"""Reads of webhooks and deliveries: one's own; a superuser's are everybody's. A stranger's is NotFound."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import Model, OuterRef, Q, QuerySet, Subquery

from orchestration.domain.errors import Forbidden, NotFound
from orchestration.domain.webhooks import DeliveryState, Topic
from orchestration.models import Tree, Webhook, WebhookDelivery
from orchestration.selectors.api_lists import Filter, Listing, Order, choice, flag, moment, whole

PAGE = 50
ID = Order("pk", whole)
WEBHOOKS = Listing(
    filters={
        "id": Filter(whole, lambda rows, v: rows.filter(pk=v), "The one with this id", kind="integer"),
        "tree": Filter(whole, lambda rows, v: rows.filter(tree=v), "Of this tree", kind="integer"),
        "active": Filter(flag, lambda rows, v: rows.filter(active=v), "Switched on", kind="boolean"),
    },
    orders={"id": ID, "created_at": Order("created_at", moment)},
    default="-id",
)
DELIVERIES = Listing(
    filters={
        "id": Filter(whole, lambda rows, v: rows.filter(pk=v), "The one with this id", kind="integer"),
        "run": Filter(whole, lambda rows, v: rows.filter(run_id=v), "About this run", kind="integer"),
        "state": choice(list(DeliveryState), lambda rows, v: rows.filter(state=v), "How far it is"),
        "event": choice(list(Topic), lambda rows, v: rows.filter(topic=v), "What it tells"),
    },
    orders={"id": ID, "created_at": Order("created_at", moment)},
    default="-id",
)


def webhooks_for_read(user: Any) -> QuerySet[Webhook]:
    """The webhooks of *user*, with tree and owner; all of them for a superuser."""
    if not user.is_authenticated or not user.is_active:
        return Webhook.objects.none()
    rows = Webhook.objects.select_related("tree", "owner")
    return rows if user.is_superuser else rows.filter(owner=user)


def deliveries_for_read(user: Any) -> QuerySet[WebhookDelivery]:
    """The deliveries of `webhooks_for_read`."""
    rows = WebhookDelivery.objects.select_related("webhook")
    return rows if user.is_superuser else rows.filter(webhook__in=webhooks_for_read(user))


def webhook_for_read(user: Any, webhook_id: int) -> Webhook:
    """The webhook. Raises NotFound."""
    return _one(webhooks_for_read(user), webhook_id, "webhook")


def webhook_for_write(user: Any, webhook_id: int) -> Webhook:
    """The webhook, for changing. Raises NotFound, Forbidden (no role)."""
    webhook = webhook_for_read(user, webhook_id)
    require_webhooks(user)
    return webhook


def delivery_for_read(user: Any, webhook_id: int, delivery_id: int) -> WebhookDelivery:
    """The delivery of that webhook. Raises NotFound."""
    return _one(deliveries_for_read(user).filter(webhook=webhook_for_read(user, webhook_id)), delivery_id, "delivery")


def require_webhooks(user: Any) -> None:
    """Raises Forbidden unless *user* may have webhooks."""
    if not may_have_webhooks(user):
        raise Forbidden(
            "your role does not allow you to have webhooks: ask an administrator for the operator role",
        )


def may_have_webhooks(user: Any) -> bool:
    """Whether the role of *user* allows webhooks."""
    return bool(user.has_perm("orchestration.change_tree"))


def webhooks_of(user: Any) -> list[Webhook]:
    """One's own, for the page; with `last_state` and `last_made` of the newest delivery."""
    mine = Webhook.objects.filter(owner=user).select_related("tree")
    return list(_with_newest(mine))


def webhooks_of_tree(tree: Tree) -> list[Webhook]:
    """Those that are told of *tree*: its own and the ones for all trees of its owner."""
    rows = Webhook.objects.filter(Q(tree=tree) | Q(tree=None), owner=tree.owner_id).select_related("tree")
    return list(_with_newest(rows).order_by("tree_id", "-id"))


def deliveries_page(webhook: Webhook, *, state: str = "", before: int | None = None) -> list[WebhookDelivery]:
    """The log, newest first: a page and one more."""
    rows = WebhookDelivery.objects.filter(webhook=webhook).defer("body", "response_excerpt")
    if state:
        rows = rows.filter(state=state)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-pk")[: PAGE + 1])


def _with_newest(rows: QuerySet[Webhook]) -> QuerySet[Webhook]:
    newest = WebhookDelivery.objects.filter(webhook=OuterRef("pk")).order_by("-pk")
    return rows.annotate(
        last_state=Subquery(newest.values("state")[:1]), last_made=Subquery(newest.values("created_at")[:1])
    )


def _one[M: Model](rows: QuerySet[M], pk: Any, noun: str) -> M:
    try:
        return rows.get(pk=pk)
    except (ObjectDoesNotExist, ValidationError, ValueError, OverflowError):
        raise NotFound(f"no {noun} {pk}") from None
