"""When tasks of a run could start, and when each of their tries ran: what a timeline draws beside the last try."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from orchestration.models import Attempt, Dependency, Run

MANY = 2000  # dependencies that are asked for one by one; of more, all attempts of the run are read
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Times:
    """Of one task in one run."""

    could_start: datetime  # when the last of what it waited for had ended
    tries: tuple[tuple[datetime, datetime | None, str], ...]  # start, end, status; oldest first


def task_times(run: Run, ids: Collection[UUID]) -> dict[UUID, Times]:
    """Those of *ids* that have started in *run*. Three queries."""
    if not ids:
        return {}
    attempts = Attempt.objects.filter(run=run, task__in=ids).order_by("task_id", "number")
    tries: dict[UUID, list[tuple[datetime, datetime | None, str]]] = {}
    for task_id, started, ended, status in attempts.values_list("task_id", "started_at", "completed_at", "status"):
        tries.setdefault(task_id, []).append((started, ended, status))
    if not tries:
        return {}
    met = _met(run, tries)
    return {task_id: Times(met.get(task_id) or run.started_at, tuple(found)) for task_id, found in tries.items()}


def _met(run: Run, ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When the last dependency of each of *ids* had ended. Not one query: SQLite would walk through all attempts of the
    run for each dependency."""
    edges = Dependency.objects.filter(task__in=list(ids)).order_by().values_list("task_id", "depends_on_id")
    pairs = list(edges)
    attempts = Attempt.objects.filter(run=run, completed_at__isnull=False).order_by()
    wanted = {other for _, other in pairs}
    if len(wanted) <= MANY:
        attempts = attempts.filter(task__in=wanted)
    ended: dict[UUID, datetime] = {}
    for task_id, at in attempts.values_list("task_id", "completed_at"):
        if at is not None and at > ended.get(task_id, LONG_AGO):
            ended[task_id] = at
    met: dict[UUID, datetime] = {}
    for task_id, other in pairs:
        if other in ended and ended[other] > met.get(task_id, LONG_AGO):
            met[task_id] = ended[other]
    return met
