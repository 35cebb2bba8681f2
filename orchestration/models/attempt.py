from __future__ import annotations

from django.db import models
from django.db.models import Q

from orchestration.domain.states import Status
from orchestration.models.choices import RUN_STATUS_CHOICES, RUN_STATUS_VALUES
from orchestration.models.fields import JsonField


class Attempt(models.Model):
    """One execution of one task inside a run. Append-only once ended; `number` is the fencing token."""

    task = models.ForeignKey(
        "orchestration.Task", on_delete=models.CASCADE, related_name="attempts", db_index=False
    )  # the unique constraint's index serves
    run = models.ForeignKey("orchestration.Run", on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()  # rises by one per attempt of the task, over all runs
    try_number = models.PositiveSmallIntegerField(default=1)  # 1..max_attempts within the run
    status = models.CharField(max_length=16, choices=RUN_STATUS_CHOICES, default=Status.IN_PROGRESS.value)
    executor = models.CharField(max_length=100, blank=True, default="")
    worker = models.CharField(max_length=64, blank=True, default="")
    inputs = JsonField(default=dict)  # resolved
    provenance = JsonField(default=dict)  # input key -> where it came from, what it shadowed
    result = JsonField(null=True, blank=True)  # SQL NULL = none; JSON null is a result
    error = models.TextField(null=True, blank=True)
    error_code = models.CharField(max_length=64, blank=True, default="")
    traceback = models.TextField(blank=True, default="")
    log = models.TextField(blank=True, default="")
    started_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["task_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="attempt_number_once_per_task"),
            models.UniqueConstraint(
                fields=["task"], condition=Q(status=Status.IN_PROGRESS.value), name="attempt_one_live_per_task"
            ),
            models.CheckConstraint(condition=Q(status__in=RUN_STATUS_VALUES), name="attempt_status_known"),
            models.CheckConstraint(
                condition=Q(result__isnull=True) | Q(status=Status.COMPLETED.value),
                name="attempt_result_only_completed",
            ),
            models.CheckConstraint(
                condition=Q(error__isnull=True) | Q(status__in=[Status.FAILED.value, Status.CANCELLED.value]),
                name="attempt_error_only_when_failed",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.IN_PROGRESS.value) ^ Q(completed_at__isnull=False),
                name="attempt_ended_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}"
