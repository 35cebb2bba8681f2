from __future__ import annotations

from django.db import models


class AuditEntry(models.Model):
    """Who did what, when and from where. Append-only: `hash` = SHA-256 of the previous hash and this row.

    The actor is a number and a name, not a foreign key: the entry outlives the account.
    """

    seq = models.PositiveBigIntegerField(primary_key=True)  # 1, 2, 3 ... without gaps
    at = models.DateTimeField()
    actor_id = models.BigIntegerField(null=True, blank=True)
    actor = models.CharField(max_length=150, blank=True, default="")
    action = models.CharField(max_length=64)
    target = models.CharField(max_length=200, blank=True, default="")
    details = models.TextField(blank=True, default="{}")  # JSON text: a database's own JSON type may rewrite numbers
    ip = models.CharField(max_length=45, blank=True, default="")
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-seq"]
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["actor_id", "-seq"], name="audit_by_actor")]

    def __str__(self) -> str:
        return f"{self.seq} {self.action}"


class AuditHead(models.Model):
    """The one row that knows the newest entry: writers queue here, and a log that was cut short shows."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="audit_head_once")]

    def __str__(self) -> str:
        return f"head {self.seq}"
