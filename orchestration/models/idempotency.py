from __future__ import annotations

from django.conf import settings
from django.db import models

from orchestration.models.fields import JsonField


class IdempotencyKey(models.Model):
    """The answer to a request that carried an Idempotency-Key, for those who send it again."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)  # SHA-256 of method, path and body
    http_status = models.PositiveSmallIntegerField(default=0)  # of the answer
    answer = JsonField(null=True, blank=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once_per_user")]

    def __str__(self) -> str:
        return self.key


class Throttle(models.Model):
    """When something counted happened lately, such as failed logins of an account: one row per account, address ..."""

    key = models.CharField(primary_key=True, max_length=80)
    times = JsonField(default=list)  # seconds since the epoch, oldest first
    updated_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=~models.Q(key=""), name="throttle_named")]

    def __str__(self) -> str:
        return self.key
