from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse

from orchestration.domain.webhooks import DeliveryState
from orchestration.models.fields import JsonField, NameField

STATE_CHOICES = [(state.value, state.value) for state in DeliveryState]


class Webhook(models.Model):
    """An address that is told of what happens in one tree, or in all trees of its owner."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks")
    tree = models.ForeignKey(
        "orchestration.Tree", null=True, blank=True, on_delete=models.CASCADE, related_name="webhooks"
    )  # null = all trees of the owner
    name = NameField(max_length=100, blank=True, default="")
    url = models.CharField(max_length=2000)
    events = JsonField(default=list)  # topics
    seed = models.CharField(max_length=100)  # the secret follows from it and the signing key of the installation
    prefix = models.CharField(max_length=16)  # how the secret begins, to recognise it by
    old_seed = models.CharField(max_length=100, blank=True, default="")  # signs too, until old_until
    old_until = models.DateTimeField(null=True, blank=True)
    active = models.BooleanField(default=True)
    active_since = models.DateTimeField()  # what happened before is not told
    failures = models.PositiveIntegerField(default=0)  # deliveries given up since the last one that arrived
    disabled_at = models.DateTimeField(null=True, blank=True)  # when it was switched off by itself
    disabled_reason = models.CharField(max_length=300, blank=True, default="")
    version = models.PositiveIntegerField(default=1)  # rises with every edit (optimistic lock)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["id"], condition=models.Q(active=True), name="webhook_active")]

    def __str__(self) -> str:
        return self.name or f"webhook {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("webhook", args=[self.pk])


class WebhookDelivery(models.Model):
    """One message to a webhook, with what came of it.

    Run and task are numbers, not foreign keys: the log outlives them, and deleting a run need not look here.
    """

    uid = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)  # the same at each try
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    topic = models.CharField(max_length=24)
    tree_id = models.BigIntegerField(null=True, blank=True)
    run_id = models.BigIntegerField(null=True, blank=True)
    seq = models.PositiveBigIntegerField(null=True, blank=True)  # of the event
    task_id = models.UUIDField(null=True, blank=True)
    body = models.TextField()  # JSON text as it is sent and signed
    state = models.CharField(max_length=16, choices=STATE_CHOICES, default=DeliveryState.PENDING.value)
    attempts = models.PositiveIntegerField(default=0)  # tries since it was made or sent again by hand
    next_at = models.DateTimeField(null=True, blank=True)  # of a pending one: not before
    last_at = models.DateTimeField(null=True, blank=True)  # the newest try
    response_code = models.PositiveSmallIntegerField(null=True, blank=True)
    response_excerpt = models.TextField(blank=True, default="")  # how the answer begins
    duration_ms = models.PositiveIntegerField(null=True, blank=True)  # of the newest try
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["webhook", "run_id", "seq"], name="delivery_once_per_event"),
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in DeliveryState]), name="delivery_state_known"
            ),
        ]
        indexes = [
            models.Index(fields=["webhook", "-id"], name="delivery_by_webhook"),
            models.Index(
                fields=["next_at"], condition=models.Q(state=DeliveryState.PENDING.value), name="delivery_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.uid}"


class WebhookCursor(models.Model):
    """Up to which event of a run deliveries have been made; written with them in one transaction."""

    run_id = models.BigIntegerField(primary_key=True)
    seq = models.PositiveBigIntegerField(default=0)
    done = models.BooleanField(default=False)  # the run has ended and its last event was looked at

    def __str__(self) -> str:
        return f"run {self.run_id} at {self.seq}"
