"""What happens when somebody sets the clock of this machine: nothing that anybody would notice."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from time import monotonic

from django.db import connection
from django.db.models import F
from django.utils import timezone

from orchestration.domain.states import Status
from orchestration.models import Attempt, Run, Task

logger = logging.getLogger("apflow.transitions")

TOLERANCE = timedelta(seconds=5)
NOTHING = timedelta()


class Clock:
    """Compares the wall clock with the one that nobody can set."""

    def __init__(self) -> None:
        self._wall, self._steady = timezone.now(), monotonic()
        self._by = NOTHING
        self._followed = self._steady

    def followed(self) -> None:
        """What `jumped` has told was committed."""
        self._by = NOTHING
        self._followed = self._steady

    @property
    def unseen(self) -> timedelta:
        """How long ago somebody followed: since then others may have read the clock as it is now."""
        return timedelta(seconds=self._steady - self._followed)

    def jumped(self, now: datetime) -> timedelta:
        """By how much the wall clock was set since somebody followed; steps below 5 seconds are none."""
        wall, steady = self._wall, self._steady
        self._wall, self._steady = now, monotonic()
        by = (now - wall) - timedelta(seconds=self._steady - steady)
        if abs(by) > TOLERANCE:
            logger.warning("the clock of this machine was set by %+.0f s", by.total_seconds())
            self._by += by
        return self._by


def shift_retries(by: timedelta) -> None:
    """Back-offs of active runs end when they would have ended. Inside the transaction that has these runs locked."""
    waiting = Task.objects.filter(
        run__status=Status.IN_PROGRESS.value, status=Status.PENDING.value, retry_at__isnull=False
    )
    adapt = connection.ops.adapt_datetimefield_value
    rows = [(adapt(at + by), pk.hex) for pk, at in waiting.values_list("pk", "retry_at") if at is not None]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE orchestration_task SET retry_at = %s WHERE id = %s", rows)


def move_starts(by: timedelta, now: datetime, unseen: timedelta) -> None:
    """What is under way, or waits for a slot, has been so for as long as before: its start is told by the clock as it
    is now. Inside the transaction that has the active runs locked. *unseen*: runs that began so shortly before *now*
    were started after the clock was set.

    What had ended keeps the time that the clock showed; so do events.
    """
    live = Status.IN_PROGRESS.value
    Attempt.objects.filter(status=live).update(started_at=F("started_at") + by)
    Task.objects.filter(status=live).update(started_at=F("started_at") + by)
    waiting = Task.objects.filter(status=Status.PENDING.value, ready_at__isnull=False)
    waiting.update(ready_at=F("ready_at") + by)
    earlier = Run.objects.filter(status=live).exclude(started_at__gt=now - unseen, started_at__lte=now)
    earlier.update(started_at=F("started_at") + by)
