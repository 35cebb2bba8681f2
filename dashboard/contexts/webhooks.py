"""What the pages about webhooks show."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext as _

from dashboard.contexts.common import State, query_of
from orchestration.domain.states import Display
from orchestration.domain.webhooks import TOPICS, DeliveryState, Topic
from orchestration.models import Webhook, WebhookDelivery
from orchestration.selectors.webhooks import PAGE

WORDS = {
    Topic.RUN_STARTED: gettext_lazy("a run starts"),
    Topic.RUN_COMPLETED: gettext_lazy("a run completes"),
    Topic.RUN_FAILED: gettext_lazy("a run fails"),
    Topic.RUN_CANCELLED: gettext_lazy("a run is cancelled"),
    Topic.TASK_COMPLETED: gettext_lazy("a task completes"),
    Topic.TASK_FAILED: gettext_lazy("a task fails"),
    Topic.TASK_CANCELLED: gettext_lazy("a task is cancelled"),
    Topic.PING: gettext_lazy("test"),
}
STATES = {
    DeliveryState.PENDING: gettext_lazy("waiting"),
    DeliveryState.DELIVERED: gettext_lazy("delivered"),
    DeliveryState.FAILED: gettext_lazy("given up"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """An event that can be chosen."""

    value: str
    words: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class WebhookLine:
    """A webhook in a list."""

    name: str
    target: str  # the address, unless that is the name
    url: str
    tree_name: str  # "" = all trees of the owner
    tree_url: str
    events: tuple[str, ...]
    state: State
    last: State | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """A delivery in the log."""

    id: int
    url: str
    topic: str
    about: str
    about_url: str
    state: State
    tries: int
    answer: str
    created_at: datetime
    next_at: datetime | None
    again: bool  # whether it can be sent again


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery with all that is known of it."""

    line: DeliveryLine
    uid: str
    error: str
    body: str
    excerpt: str
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class LogView:
    """A page of the log."""

    lines: tuple[DeliveryLine, ...]
    state: str
    states: tuple[tuple[str, str], ...]
    next_url: str
    first_url: str


def choices(chosen: Collection[str]) -> tuple[Choice, ...]:
    """The events, the *chosen* ones ticked."""
    return tuple(Choice(topic.value, str(WORDS[topic]), topic in chosen) for topic in TOPICS)


def webhook_state(webhook: Webhook) -> State:
    """On, off, or switched off by itself."""
    if webhook.active:
        return State(Display.COMPLETED, _("on"))
    if webhook.disabled_at is not None:
        return State(Display.FAILED, _("switched off by itself"))
    return State(Display.IDLE, _("off"))


def webhook_line(webhook: Any) -> WebhookLine:
    """*webhook*, with `last_state` and `last_made`, as a line."""
    return WebhookLine(
        name=webhook.name or webhook.url,
        target=webhook.url if webhook.name else "",
        url=webhook.get_absolute_url(),
        tree_name=webhook.tree.name if webhook.tree else "",
        tree_url=webhook.tree.get_absolute_url() if webhook.tree else "",
        events=tuple(str(event) for event in webhook.events),
        state=webhook_state(webhook),
        last=delivery_state(webhook.last_state, 0) if webhook.last_state else None,
        last_at=webhook.last_made,
    )


def delivery_state(state: str, attempts: int) -> State:
    """How far a delivery is, as shape and word."""
    if state == DeliveryState.DELIVERED:
        return State(Display.COMPLETED, str(STATES[DeliveryState.DELIVERED]))
    if state == DeliveryState.FAILED:
        return State(Display.FAILED, str(STATES[DeliveryState.FAILED]))
    if attempts:
        return State(Display.RETRYING, _("retrying"))
    return State(Display.WAITING, str(STATES[DeliveryState.PENDING]))


def log_view(webhook: Webhook, deliveries: list[WebhookDelivery], *, state: str, first: bool) -> LogView:
    """The log ready to be shown; *deliveries* may hold one more than a page."""
    page = deliveries[:PAGE]
    following = query_of(state=state, before=page[-1].pk) if len(deliveries) > PAGE else ""
    return LogView(
        lines=tuple(delivery_line(delivery, webhook) for delivery in page),
        state=state,
        states=(("", _("all")), *((key.value, str(words)) for key, words in STATES.items())),
        next_url=f"?{following}" if following else "",
        first_url="" if first else f"?{query_of(state=state)}",
    )


def delivery_line(delivery: WebhookDelivery, webhook: Webhook) -> DeliveryLine:
    """*delivery* as a line."""
    pending = delivery.state == DeliveryState.PENDING
    about, about_url = "", ""
    if delivery.task_id is not None:
        about, about_url = _("task"), f"{reverse('task', args=[delivery.task_id])}?run={delivery.run_id}"
    elif delivery.run_id is not None:
        about, about_url = _("run"), reverse("run", args=[delivery.run_id])
    return DeliveryLine(
        id=delivery.pk,
        url=reverse("webhook_delivery", args=[webhook.pk, delivery.pk]),
        topic=delivery.topic,
        about=about,
        about_url=about_url,
        state=delivery_state(delivery.state, delivery.attempts),
        tries=delivery.attempts,
        answer=_answer(delivery),
        created_at=delivery.created_at,
        next_at=delivery.next_at if pending and delivery.attempts else None,
        again=not pending and (webhook.active or delivery.topic == Topic.PING),
    )


def delivery_view(delivery: WebhookDelivery, webhook: Webhook) -> DeliveryView:
    """*delivery* with its body and answer."""
    return DeliveryView(
        line=delivery_line(delivery, webhook),
        uid=str(delivery.uid),
        error=delivery.error,
        body=json.dumps(json.loads(delivery.body), indent=2, ensure_ascii=False),
        excerpt=delivery.response_excerpt,
        last_at=delivery.last_at,
    )


def _answer(delivery: WebhookDelivery) -> str:
    if delivery.last_at is None:
        return ""
    took = gettext("%(value)s ms") % {"value": delivery.duration_ms or 0}
    return f"{delivery.response_code} · {took}" if delivery.response_code else _("no answer")
