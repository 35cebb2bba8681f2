"""Webhooks: made, changed, switched on and off, tested, sent again. Every change has an entry in the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from orchestration.conf import conf
from orchestration.domain.errors import Conflict, Invalid, Problem
from orchestration.domain.json_gate import text_problem
from orchestration.domain.webhooks import TOPICS, DeliveryState, Topic, body_of
from orchestration.executors.base import ExecutorError
from orchestration.executors.http_guard import AllowList, check_url
from orchestration.models import Webhook, WebhookDelivery
from orchestration.publishing import publisher
from orchestration.selectors.access import tree_for_write
from orchestration.selectors.webhooks import delivery_for_read, require_webhooks, webhook_for_write
from orchestration.services import audit
from orchestration.services.locking import lock_tree
from orchestration.services.webhook_secrets import SHOWN, secret_new

MAX_WEBHOOKS = 50  # per owner
MAX_NAME, MAX_URL = 100, 2000
OVERLAP = timedelta(hours=24)  # so long the old secret signs too after a change
CHANGEABLE = ("name", "url", "events", "active")


@transaction.atomic
def webhook_create(
    *, user: Any, url: str, events: Sequence[str], tree_id: int | None = None, name: str = ""
) -> tuple[Webhook, str]:
    """The new webhook and its secret, which is shown this once. Without *tree_id*: for all trees of *user*.

    Raises NotFound (tree), Forbidden (no role, not the owner), Invalid. Effects: a webhook, an audit entry.
    """
    require_webhooks(user)
    tree = None if tree_id is None else tree_for_write(user, tree_id)
    if tree is not None:
        lock_tree(tree.pk)
    _check({"name": name, "url": url, "events": events})
    owner = user if tree is None else tree.owner
    if Webhook.objects.filter(owner=owner).count() >= MAX_WEBHOOKS:
        raise Invalid([Problem("url", f"there are {MAX_WEBHOOKS} webhooks: delete some first", "too_many")])
    now = timezone.now()
    seed, secret = secret_new()
    webhook = Webhook.objects.create(
        owner=owner,
        tree=tree,
        name=name,
        url=url,
        events=_ordered(events),
        seed=seed,
        prefix=secret[:SHOWN],
        active_since=now,
        created_at=now,
        updated_at=now,
    )
    details = {"tree": tree_id, "host": _host(url), "events": webhook.events}
    audit.record(actor=user, action="webhook.create", target=f"webhook:{webhook.pk}", details=details)
    transaction.on_commit(publisher.poke)
    return webhook, secret


@transaction.atomic
def webhook_update(*, user: Any, webhook_id: int, changes: Mapping[str, Any], version: int | None = None) -> Webhook:
    """The webhook with other name, url, events or active. Switching on forgets why it was off.

    Raises NotFound, Forbidden, Invalid, Conflict (stale_version). Effects: the row, an audit entry.
    """
    webhook = _locked(user, webhook_id)
    if version is not None and version != webhook.version:
        message = f"the webhook was changed meanwhile (now version {webhook.version}): reload, then change it again"
        raise Conflict(message, code="stale_version", field="version")
    _check(changes)
    now = timezone.now()
    if changes.get("active") and not webhook.active:
        webhook.active_since, webhook.failures, webhook.disabled_at, webhook.disabled_reason = now, 0, None, ""
    for name, value in changes.items():
        setattr(webhook, name, _ordered(value) if name == "events" else value)
    webhook.version, webhook.updated_at = webhook.version + 1, now
    webhook.save()
    told = {"fields": sorted(changes), "host": _host(webhook.url), "active": webhook.active, "events": webhook.events}
    audit.record(actor=user, action="webhook.update", target=f"webhook:{webhook.pk}", details=told)
    transaction.on_commit(publisher.poke)
    return webhook


@transaction.atomic
def webhook_delete(*, user: Any, webhook_id: int) -> Webhook:
    """The webhook that is gone, with its deliveries. Raises NotFound, Forbidden. Effects: rows, an audit entry."""
    webhook = _locked(user, webhook_id)
    WebhookDelivery.objects.filter(webhook=webhook).delete()
    Webhook.objects.filter(pk=webhook.pk).delete()
    details = {"tree": webhook.tree_id, "host": _host(webhook.url)}
    audit.record(actor=user, action="webhook.delete", target=f"webhook:{webhook.pk}", details=details)
    return webhook


@transaction.atomic
def webhook_rotate(*, user: Any, webhook_id: int) -> tuple[Webhook, str]:
    """The webhook and its new secret, shown this once; the old one signs too for a day. Raises NotFound, Forbidden.

    Effects: the row, an audit entry.
    """
    webhook = _locked(user, webhook_id)
    now = timezone.now()
    webhook.old_seed, webhook.old_until = webhook.seed, now + OVERLAP
    webhook.seed, secret = secret_new()
    webhook.prefix = secret[:SHOWN]
    webhook.version, webhook.updated_at = webhook.version + 1, now
    webhook.save()
    audit.record(actor=user, action="webhook.rotate", target=f"webhook:{webhook.pk}")
    return webhook, secret


@transaction.atomic
def webhook_test(*, user: Any, webhook_id: int) -> WebhookDelivery:
    """A delivery of the event `ping`, tried once and soon, also while the webhook is off. Raises NotFound, Forbidden.

    Effects: a delivery, an audit entry.
    """
    webhook = _locked(user, webhook_id)
    now = timezone.now()
    delivery = WebhookDelivery(webhook=webhook, topic=Topic.PING, tree_id=webhook.tree_id, next_at=now, created_at=now)
    delivery.body = body_of({
        "id": str(delivery.uid), "event": Topic.PING, "at": now.isoformat(), "webhook": webhook.pk,
    })  # fmt: skip
    delivery.save()
    audit.record(actor=user, action="webhook.test", target=f"webhook:{webhook.pk}")
    transaction.on_commit(publisher.poke)
    return delivery


@transaction.atomic
def delivery_redeliver(*, user: Any, webhook_id: int, delivery_id: int) -> WebhookDelivery:
    """The delivery, to be sent again soon under the same id, with all tries. Raises NotFound, Forbidden, Conflict.

    Conflict: it is under way, or the webhook is switched off. Effects: the delivery, an audit entry.
    """
    webhook = _locked(user, webhook_id)
    delivery = delivery_for_read(user, webhook_id, delivery_id)
    if delivery.state == DeliveryState.PENDING:
        raise Conflict("this delivery is under way: wait for its end", code="already_pending")
    if not webhook.active and delivery.topic != Topic.PING:
        raise Conflict("the webhook is switched off: switch it on first", code="webhook_off")
    now = timezone.now()
    WebhookDelivery.objects.filter(pk=delivery.pk).update(state=DeliveryState.PENDING, attempts=0, next_at=now)
    details = {"delivery": str(delivery.uid)}
    audit.record(actor=user, action="webhook.redeliver", target=f"webhook:{webhook.pk}", details=details)
    transaction.on_commit(publisher.poke)
    delivery.refresh_from_db()
    return delivery


def webhook_switch_off(webhook_id: int, reason: str) -> None:
    """Switch the webhook off by itself, inside the caller's transaction; twice is not an error. Effects: an audit
    entry without an actor."""
    now = timezone.now()
    changed = Webhook.objects.filter(pk=webhook_id, active=True).update(
        active=False, disabled_at=now, disabled_reason=reason[:300], version=F("version") + 1, updated_at=now
    )
    if changed:
        audit.record(action="webhook.disable", target=f"webhook:{webhook_id}", details={"reason": reason[:300]})


def _locked(user: Any, webhook_id: int) -> Webhook:
    webhook = webhook_for_write(user, webhook_id)
    return Webhook.objects.select_for_update().get(pk=webhook.pk)


def _check(changes: Mapping[str, Any]) -> None:
    problems: list[Problem | None] = []
    for name, value in changes.items():
        if name == "name":
            problems.append(text_problem(value, max_length=MAX_NAME, field="name") if value else None)
        elif name == "url":
            problems.append(_url_problem(value))
        elif name == "events":
            problems.append(_events_problem(value))
        elif name not in CHANGEABLE:
            problems.append(Problem(name[:64], f"cannot be changed; known: {', '.join(CHANGEABLE)}", "unknown_field"))
    found = [problem for problem in problems if problem]
    if found:
        raise Invalid(found)


def _url_problem(url: str) -> Problem | None:
    problem = text_problem(url, max_length=MAX_URL, field="url")
    if problem:
        return problem
    settings = conf()
    try:
        if "@" in urlsplit(url).netloc:
            return Problem("url", "no user name or password: the signature proves who sends", "invalid_url")
        check_url(url, AllowList(settings.http_allow, settings.http_ports))
    except ExecutorError as error:
        return Problem("url", str(error).removeprefix("url: "), error.code)
    except ValueError:
        return Problem("url", "only http and https with a host", "invalid_url")
    return None


def _events_problem(events: Sequence[str]) -> Problem | None:
    if not events:
        return Problem("events", "choose at least one event", "required")
    if any(event not in TOPICS for event in events):
        return Problem("events", f"use some of {', '.join(TOPICS)}", "invalid_choice")
    return None


def _ordered(events: Sequence[str]) -> list[str]:
    return [topic.value for topic in TOPICS if topic in events]


def _host(url: str) -> str:
    """Where *url* leads, without path and query: they may hold a secret."""
    return (urlsplit(url).hostname or "")[:200]
