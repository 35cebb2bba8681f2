"""Deliveries that are due: claimed, prepared, and what came of each written down."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from orchestration.conf import conf
from orchestration.domain.rights import HTTP_PRIVATE
from orchestration.domain.webhooks import (
    MAX_ERROR,
    MAX_EXCERPT,
    SIGNATURE,
    DeliveryState,
    Topic,
    bounded,
    pause_s,
    signature,
)
from orchestration.failpoints import failpoint
from orchestration.models import Webhook, WebhookDelivery
from orchestration.selectors.rights import rights_of
from orchestration.services.webhook_secrets import secret_of
from orchestration.services.webhooks import webhook_switch_off

LEASE = timedelta(seconds=10)  # beyond the timeout: an engine silent for longer has not sent it, or is dead
GONE = 410  # the receiver says that it will never be there again
UNSIGNED = "the signing key of this site was changed: make a new secret for this webhook"


@dataclass(frozen=True, slots=True)
class Sending:
    """A claimed delivery, ready to be sent."""

    delivery_id: int
    webhook_id: int
    url: str
    body: str
    headers: dict[str, str]
    refused: str = ""  # why it can't be sent at all
    private: bool = False  # its owner may reach private places


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try."""

    code: int | None = None
    excerpt: str = ""
    duration_ms: int = 0
    error: str = ""
    final: bool = False  # no use in trying again

    @property
    def good(self) -> bool:
        """Whether the receiver has it."""
        return self.code is not None and 200 <= self.code < 300 and not self.error


def due(most: int, *, busy: Collection[int] = ()) -> list[Sending]:
    """At most *most* deliveries to send now, claimed: nobody else gets them for a while. *busy*: webhooks to leave out.

    Effects: `next_at` of each, so that it comes back should this process die.
    """
    now = timezone.now()
    until = now + LEASE + timedelta(seconds=conf().webhook_timeout_s)
    claimed = []
    for delivery in _due(now).exclude(webhook__in=busy)[:most]:
        mine = WebhookDelivery.objects.filter(
            pk=delivery.pk, state=DeliveryState.PENDING, next_at=delivery.next_at
        ).update(next_at=until)
        if mine:
            claimed.append(_prepared(delivery))
    return claimed


def record(sending: Sending, answer: Answer) -> None:
    """Write down what came of a try. Effects: the delivery; when it is given up, the webhook's count, and at last the
    webhook is switched off."""
    now = timezone.now()
    failpoint("webhook.sent")
    with transaction.atomic():
        webhook = Webhook.objects.select_for_update().filter(pk=sending.webhook_id).first()  # first, as everywhere
        delivery = WebhookDelivery.objects.select_for_update().filter(pk=sending.delivery_id).first()
        if webhook is None or delivery is None or delivery.state != DeliveryState.PENDING:
            return  # deleted meanwhile, or another process has sent it too
        delivery.attempts += 1
        delivery.last_at = now
        delivery.response_code = answer.code
        delivery.response_excerpt = bounded(answer.excerpt, MAX_EXCERPT)
        delivery.duration_ms = answer.duration_ms
        delivery.error = bounded(answer.error, MAX_ERROR)
        pause = None
        if not (answer.good or answer.final or answer.code == GONE or delivery.topic == Topic.PING):
            pause = pause_s(delivery.attempts, conf().webhook_pauses_s, random.random)
        if pause is None:
            delivery.state = DeliveryState.DELIVERED if answer.good else DeliveryState.FAILED
        delivery.next_at = None if pause is None else now + timedelta(seconds=pause)
        delivery.save()
        failpoint("webhook.record")
        if delivery.state != DeliveryState.PENDING and delivery.topic != Topic.PING:
            _count(webhook, answer)


def _due(now: datetime) -> QuerySet[WebhookDelivery]:
    wanted = Q(webhook__active=True) | Q(topic=Topic.PING)
    rows = WebhookDelivery.objects.filter(wanted, state=DeliveryState.PENDING, next_at__lte=now)
    return rows.filter(webhook__owner__is_active=True).select_related("webhook").order_by("next_at", "pk")


def _prepared(delivery: WebhookDelivery) -> Sending:
    webhook = delivery.webhook
    now = timezone.now()
    secrets = [secret_of(webhook.seed)]
    if webhook.old_seed and webhook.old_until is not None and webhook.old_until > now:
        secrets.append(secret_of(webhook.old_seed))
    usable = [secret for secret in secrets if secret]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "apflow-webhook",
        "X-Apflow-Event": delivery.topic,
        "X-Apflow-Delivery": str(delivery.uid),
        "X-Apflow-Attempt": str(delivery.attempts + 1),
        SIGNATURE: signature(usable, int(now.timestamp()), delivery.body),
    }
    refused = "" if secrets[0] else UNSIGNED
    private = rights_of([webhook.owner_id])[webhook.owner_id].may(HTTP_PRIVATE)
    return Sending(delivery.pk, webhook.pk, webhook.url, delivery.body, headers, refused, private)


def _count(webhook: Webhook, answer: Answer) -> None:
    if answer.good:
        if webhook.failures:
            Webhook.objects.filter(pk=webhook.pk).update(failures=0)
        return
    Webhook.objects.filter(pk=webhook.pk).update(failures=F("failures") + 1)
    last = answer.error or f"HTTP {answer.code}"
    if answer.code == GONE:
        webhook_switch_off(webhook.pk, "the receiver answered 410: it is gone for good")
    elif webhook.failures + 1 >= conf().webhook_failures:
        count = webhook.failures + 1
        webhook_switch_off(webhook.pk, f"{count} deliveries in a row could not be made; the last one: {last}")
