from __future__ import annotations

from django.db import models

from orchestration.domain.states import WorkerKind
from orchestration.models.choices import WORKER_KIND_CHOICES
from orchestration.models.fields import JsonField


class Worker(models.Model):
    """A process that runs attempts or hands them out: its sign of life (heartbeat) and what it can take (slots)."""

    id = models.CharField(primary_key=True, max_length=64)  # host:pid:random, new with every start
    kind = models.CharField(max_length=8, choices=WORKER_KIND_CHOICES, default=WorkerKind.ENGINE.value)
    queues = JsonField(default=list, blank=True)  # names of those that it serves; none = all
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    process_slots = models.PositiveIntegerField()
    async_slots = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return self.id
