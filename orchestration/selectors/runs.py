"""Reads for run pages: the list, the run's facts, its events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from orchestration.domain.states import Status
from orchestration.domain.story import Failure, RunFacts
from orchestration.models import Attempt, Event, Run
from orchestration.selectors.access import runs_for_read

PAGE = 50


def run_facts(run: Run, now: datetime) -> RunFacts:
    """What the story of *run* is told from: its counts and the first failed tasks. At most one query."""
    end = run.completed_at or now
    return RunFacts(
        status=run.status,
        total=run.total,
        running=run.running,
        completed=run.completed,
        failed=run.failed,
        cancelled=run.cancelled,
        blocked=run.blocked,
        elapsed_s=max(0.0, (end - run.started_at).total_seconds()),
        failures=_failures(run) if run.failed else (),
        cancelling=run.cancel_requested_at is not None and run.is_active,
        cancelled_by=run.cancelled_by.get_username() if run.cancelled_by else "",
        reason=run.reason,
    )


def _failures(run: Run) -> list[Failure]:
    later = Attempt.objects.filter(task=OuterRef("task"), run=run, number__gt=OuterRef("number"))
    failed = Attempt.objects.filter(~Exists(later), run=run, status=Status.FAILED).order_by("completed_at", "pk")
    rows = failed.values_list("task__name", "error", "error_code")[:3]
    return [Failure(name=name, error=error or "", code=code) for name, error, code in rows]


def events_after(run_id: int, seq: int, limit: int = 5000) -> list[tuple[int, UUID | None, str]]:
    """(seq, task id, kind) of the events after *seq*, oldest first."""
    events = Event.objects.filter(run_id=run_id, seq__gt=seq).order_by("seq")
    return list(events.values_list("seq", "task_id", "kind")[:limit])


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What the list of runs shows; all of it is in the URL."""

    search: str = ""  # in the name of the tree
    state: str = ""
    mine: bool = False  # started by me
    since: datetime | None = None
    before: int | None = None  # keyset: only runs with a smaller id


def runs_matching(user: Any, wanted: RunFilter) -> QuerySet[Run]:
    """The runs of the filter that *user* may see, in no order."""
    runs = runs_for_read(user)
    if wanted.state:
        runs = runs.filter(status=wanted.state)
    if wanted.search:
        runs = runs.filter(tree__name__icontains=wanted.search)
    if wanted.mine:
        runs = runs.filter(started_by=user)
    if wanted.since is not None:
        runs = runs.filter(started_at__gte=wanted.since)
    return runs


def run_list(user: Any, wanted: RunFilter) -> list[Run]:
    """Up to PAGE + 1 runs, newest first. One query."""
    runs = runs_matching(user, wanted).select_related("tree", "started_by")
    if wanted.before is not None:
        runs = runs.filter(pk__lt=wanted.before)
    return list(runs.order_by("-pk")[: PAGE + 1])


def run_page(user: Any, *, status: str, search: str, tree: int | None = None, before: int | None = None) -> list[Run]:
    """Up to PAGE + 1 runs, newest first, older than run *before* (keyset)."""
    runs = runs_for_read(user).select_related("tree", "started_by")
    if status:
        runs = runs.filter(status=status)
    if search:
        runs = runs.filter(tree__name__icontains=search)
    if tree is not None:
        runs = runs.filter(tree_id=tree)
    if before is not None:
        runs = runs.filter(pk__lt=before)
    return list(runs.order_by("-pk")[: PAGE + 1])


def lineage(run: Run) -> list[Run]:
    """The runs of the same tree around *run*, oldest first: two before, itself, two after."""
    near = Run.objects.filter(tree_id=run.tree_id, number__gte=run.number - 2, number__lte=run.number + 2)
    return list(near.order_by("number").only("id", "number", "status", "tree_id"))
