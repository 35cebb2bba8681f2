from __future__ import annotations

from django.db import models


class Worker(models.Model):
    """A process that runs attempts: how it is found alive (heartbeat) and what it can take (slots)."""

    id = models.CharField(primary_key=True, max_length=64)  # host:pid:random, new with every start
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
