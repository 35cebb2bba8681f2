from __future__ import annotations

from django.db import models


class Report(models.Model):
    """What a worker process tells about an attempt, until the engine has taken it in (and deleted it) in one step."""

    # no foreign keys: a report may outlive what it is about, and is then dropped
    run_id = models.BigIntegerField()
    task_id = models.UUIDField()
    attempt = models.PositiveIntegerField()  # number of the attempt
    worker = models.CharField(max_length=64)
    body = models.TextField()  # the rest of the outcome, as JSON text
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"report {self.pk}"
