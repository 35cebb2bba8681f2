"""Reads for run pages: the list, the run's facts, its events."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef

from orchestration.domain.states import Status
from orchestration.domain.story import MAX_NAMED, Failure, RunFacts
from orchestration.models import Attempt, Event, Run
from orchestration.selectors.handled import handled_among
from orchestration.selectors.run_query import RunFilter, RunQuery, run_query

PAGE = 50
LOOKED = 200  # failed tasks of which is asked who waits for them


def run_facts(run: Run, now: datetime) -> RunFacts:
    """What the story of *run* is told from: its counts and the first failed tasks. At most two queries."""
    end = run.completed_at or now
    failures, ignored = _failures(run) if run.failed else ([], 0)
    return RunFacts(
        status=run.status,
        total=run.total,
        running=run.running,
        completed=run.completed,
        failed=run.failed,
        cancelled=run.cancelled,
        blocked=run.blocked,
        elapsed_s=max(0.0, (end - run.started_at).total_seconds()),
        failures=failures,
        ignored=ignored,
        cancelling=run.cancel_requested_at is not None and run.is_active,
        cancelled_by=run.cancelled_by.get_username() if run.cancelled_by else "",
        reason=run.reason,
    )


def _failures(run: Run) -> tuple[list[Failure], int]:
    """The first failures that nobody has taken care of, and how many of the first LOOKED somebody has."""
    later = Attempt.objects.filter(task=OuterRef("task"), run=run, number__gt=OuterRef("number"))
    failed = Attempt.objects.filter(~Exists(later), run=run, status=Status.FAILED).order_by("completed_at", "pk")
    rows = list(failed.values_list("task_id", "task__name", "error", "error_code")[:LOOKED])
    handled = handled_among([task_id for task_id, *_ in rows])
    open_ones = [row for row in rows if row[0] not in handled]
    named = [Failure(name=name, error=error or "", code=code) for _, name, error, code in open_ones[:MAX_NAMED]]
    return named, len(handled)


def events_after(run_id: int, seq: int, limit: int = 5000) -> list[tuple[int, UUID | None, str]]:
    """(seq, task id, kind) of the events after *seq*, oldest first."""
    events = Event.objects.filter(run_id=run_id, seq__gt=seq).order_by("seq")
    return list(events.values_list("seq", "task_id", "kind")[:limit])


def run_list(user: Any, wanted: RunFilter) -> tuple[list[Run], RunQuery]:
    """(Up to PAGE + 1 runs, newest first; the query that they are of). Up to four queries."""
    query = run_query(user, wanted)
    return list(query.newest(PAGE + 1, wanted.before)), query


def lineage(run: Run) -> list[Run]:
    """The runs of the same tree around *run*, oldest first: two before, itself, two after."""
    near = Run.objects.filter(tree_id=run.tree_id, number__gte=run.number - 2, number__lte=run.number + 2)
    return list(near.order_by("number").only("id", "number", "status", "tree_id"))
