"""Letting go of old runs, and of what webhooks were told long ago."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from orchestration.domain.states import Status
from orchestration.models import Attempt, Event, Run, Task, WebhookCursor, WebhookDelivery

CHUNK = 50  # runs per transaction: the engine writes in between
ROWS = 1000  # deliveries per transaction
DELETE_PARTS = (
    "DELETE FROM orchestration_event WHERE run_id IN ({ids})",
    "DELETE FROM orchestration_attempt WHERE run_id IN ({ids})",
    "UPDATE orchestration_run SET retry_of_id = NULL WHERE retry_of_id IN ({ids})",
    "DELETE FROM orchestration_run WHERE id IN ({ids})",
)
"""What hangs on runs, dependents first."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted, or would be."""

    runs: int = 0
    attempts: int = 0
    events: int = 0
    deliveries: int = 0  # of webhooks

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(
            self.runs + other.runs,
            self.attempts + other.attempts,
            self.events + other.events,
            self.deliveries + other.deliveries,
        )


def prunable(before: datetime) -> QuerySet[Run]:
    """The runs that ended before *before* and that nothing needs: not the newest of its tree, not an archive's, none
    that a task is in now, none with an attempt that is a task's newest or that a link shows."""
    current = Attempt.objects.filter(run=OuterRef("pk"), number=F("task__attempt"))
    linked = Task.objects.filter(linked_attempt__run=OuterRef("pk"))
    return (
        Run.objects.filter(completed_at__lt=before, tree__archived_at=None)
        .exclude(status=Status.IN_PROGRESS)
        .filter(number__lt=F("tree__run_count"))
        .filter(~Exists(Task.objects.filter(run=OuterRef("pk"))), ~Exists(current), ~Exists(linked))
    )


def prune_preview(before: datetime) -> Pruned:
    """What `prune` would delete now."""
    runs = prunable(before).order_by()
    return Pruned(
        runs.count(),
        Attempt.objects.filter(run__in=runs).count(),
        Event.objects.filter(run__in=runs).count(),
        WebhookDelivery.objects.filter(created_at__lt=before).count(),
    )


def prune(before: datetime) -> Pruned:
    """Delete the prunable runs with their attempts and events, and the deliveries of webhooks made before *before*.
    Effects: one transaction per 50 runs or 1000 deliveries; no audit entry is touched. What a crash leaves is deleted
    the next time."""
    total = Pruned()
    while (step := _prune_some(before)).runs:
        total += step
    WebhookCursor.objects.filter(~Exists(Run.objects.filter(pk=OuterRef("pk")))).delete()
    while deliveries := _forget_deliveries(before):
        total += Pruned(deliveries=deliveries)
    return total


def _forget_deliveries(before: datetime) -> int:
    old = WebhookDelivery.objects.filter(created_at__lt=before).order_by("pk").values_list("pk", flat=True)
    return WebhookDelivery.objects.filter(pk__in=list(old[:ROWS])).delete()[0]


@transaction.atomic
def _prune_some(before: datetime) -> Pruned:
    ids = list(prunable(before).order_by("pk").values_list("pk", flat=True)[:CHUNK])
    if not ids:
        return Pruned()
    marks = ", ".join(["%s"] * len(ids))
    with connection.cursor() as cursor:
        events, attempts, _, runs = [_changed(cursor, part.format(ids=marks), ids) for part in DELETE_PARTS]
    return Pruned(runs, attempts, events)


def _changed(cursor: Any, statement: str, ids: list[int]) -> int:
    cursor.execute(statement, ids)
    return int(cursor.rowcount)
