from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.urls import reverse

from orchestration.domain.states import Origin, Status
from orchestration.models.choices import ORIGIN_CHOICES, ORIGIN_VALUES, STATUS_CHOICES, STATUS_VALUES
from orchestration.models.fields import JsonField, NameField


class Task(models.Model):
    """A unit of work: its definition, and its state in the newest run that had it in scope.

    The result is not here but on the attempt with this task's number (`attempt`): it is stored once.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tree = models.ForeignKey("orchestration.Tree", on_delete=models.CASCADE, related_name="tasks")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="children")
    position = models.PositiveIntegerField()  # place in the outline (parents before children), 0 = root
    depth = models.PositiveIntegerField(default=0)  # parents above this task
    # definition
    name = NameField(max_length=255)
    executor = models.CharField(max_length=100, blank=True, default="")  # id in the registry; "" = group or draft
    priority = models.PositiveSmallIntegerField(default=2)  # 0 urgent, 1 high, 2 normal, 3 low
    inputs = JsonField(default=dict, blank=True)
    params = JsonField(default=dict, blank=True)
    schemas = JsonField(default=dict, blank=True)
    timeout_s = models.FloatField(null=True, blank=True)  # seconds per attempt; null = the setting
    max_attempts = models.PositiveSmallIntegerField(default=1)
    backoff = JsonField(default=dict, blank=True)  # {strategy: fixed|linear|exponential, base_s, cap_s}
    version = models.PositiveIntegerField(default=1)
    # lineage
    origin_type = models.CharField(max_length=16, choices=ORIGIN_CHOICES, default=Origin.CREATE.value)
    original = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="derived", db_index=False
    )
    linked_attempt = models.ForeignKey(
        "orchestration.Attempt",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="links",
        db_index=False,
    )  # only of a link: the original's attempt whose result this task shows
    has_references = models.BooleanField(default=False)
    # state: written by services.transitions only
    run = models.ForeignKey(
        "orchestration.Run", null=True, blank=True, on_delete=models.SET_NULL, related_name="tasks"
    )  # the newest run that had this task in its scope
    status = models.CharField(max_length=16, choices=STATUS_CHOICES, default=Status.PENDING.value)
    attempt = models.PositiveIntegerField(default=0)  # number of the newest attempt
    progress = models.FloatField(default=0.0)  # 0.0..1.0
    error = models.TextField(null=True, blank=True)
    blocked_by = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )  # the required dependency that will not complete: this task stays pending in this run
    ready_at = models.DateTimeField(null=True, blank=True)  # since when it waits only for a slot
    retry_at = models.DateTimeField(null=True, blank=True)  # not before: back-off
    stop_requested_at = models.DateTimeField(null=True, blank=True)  # cancel asked, not yet confirmed
    stop_reason = models.TextField(blank=True, default="")  # becomes the error once the stop is confirmed
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["tree_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["tree"], condition=Q(parent__isnull=True), name="task_one_root_per_tree"),
            models.CheckConstraint(condition=Q(status__in=STATUS_VALUES), name="task_status_known"),
            models.CheckConstraint(condition=Q(origin_type__in=ORIGIN_VALUES), name="task_origin_known"),
            models.CheckConstraint(condition=Q(priority__lte=3), name="task_priority_0_to_3"),
            models.CheckConstraint(condition=Q(progress__gte=0.0, progress__lte=1.0), name="task_progress_0_to_1"),
            models.CheckConstraint(condition=Q(max_attempts__gte=1), name="task_max_attempts_positive"),
            models.CheckConstraint(
                condition=Q(error__isnull=True) | Q(status__in=[Status.FAILED.value, Status.CANCELLED.value]),
                name="task_error_only_when_failed",
            ),
            models.CheckConstraint(
                condition=Q(completed_at__isnull=False)
                | Q(status__in=[Status.PENDING.value, Status.IN_PROGRESS.value]),
                name="task_terminal_has_time",
            ),
            models.CheckConstraint(
                condition=Q(blocked_by__isnull=True) | Q(status__in=[Status.PENDING.value, Status.CANCELLED.value]),
                name="task_blocked_did_not_run",
            ),
        ]
        indexes = [
            models.Index(
                fields=["priority", "ready_at"],
                condition=Q(ready_at__isnull=False),
                name="task_ready",
            ),
            # most tasks are neither copies nor links: an index of all would be written for nothing
            models.Index(fields=["original"], condition=Q(original__isnull=False), name="task_by_original"),
            models.Index(fields=["linked_attempt"], condition=Q(linked_attempt__isnull=False), name="task_by_link"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("task", args=[self.pk])
