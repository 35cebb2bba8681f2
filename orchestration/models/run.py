from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from orchestration.domain.states import Mode, Status
from orchestration.models.choices import MODE_CHOICES, MODE_VALUES, RUN_STATUS_CHOICES, RUN_STATUS_VALUES
from orchestration.models.fields import JsonField


class Run(models.Model):
    """One execution of a tree, or of a part of it. `seq` is the number of its newest event."""

    tree = models.ForeignKey("orchestration.Tree", on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField()  # 1, 2, 3 ... per tree
    status = models.CharField(max_length=16, choices=RUN_STATUS_CHOICES, default=Status.IN_PROGRESS.value)
    mode = models.CharField(max_length=16, choices=MODE_CHOICES, default=Mode.ALL.value)
    chosen = JsonField(default=list, blank=True)  # task ids that mode from/only was asked for
    overrides = JsonField(default=dict, blank=True)  # task id -> {inputs, priority, timeout_s} for this run
    retry_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="retries")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    started_via = models.CharField(max_length=120, blank=True, default="")  # "trigger nightly"; "" = by that person
    seq = models.PositiveBigIntegerField(default=0)
    # counts over the scope; the rest of `total` is pending
    total = models.PositiveIntegerField(default=0)
    running = models.PositiveIntegerField(default=0)
    completed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    blocked = models.PositiveIntegerField(default=0)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    reason = models.TextField(blank=True, default="")  # why it was cancelled, in the person's words
    started_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tree", "number"], name="run_number_once_per_tree"),
            models.UniqueConstraint(
                fields=["tree"], condition=Q(status=Status.IN_PROGRESS.value), name="run_one_active_per_tree"
            ),
            models.CheckConstraint(condition=Q(status__in=RUN_STATUS_VALUES), name="run_status_known"),
            models.CheckConstraint(condition=Q(mode__in=MODE_VALUES), name="run_mode_known"),
            models.CheckConstraint(
                condition=Q(status=Status.IN_PROGRESS.value) ^ Q(completed_at__isnull=False), name="run_ended_has_time"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(status=Status.IN_PROGRESS.value), name="run_active"),
            models.Index(fields=["status", "-id"], name="run_by_status"),
            models.Index(fields=["started_at", "id"], name="run_by_start"),
            models.Index(fields=["status", "completed_at"], condition=Q(completed_at__isnull=False), name="run_by_end"),
        ]

    def __str__(self) -> str:
        return f"#{self.number}"

    def get_absolute_url(self) -> str:
        return reverse("run", args=[self.pk])

    @property
    def is_active(self) -> bool:
        return self.status == Status.IN_PROGRESS

    @property
    def pending(self) -> int:
        """Tasks of the scope that have neither started nor been given up."""
        return self.total - self.running - self.completed - self.failed - self.cancelled - self.blocked
