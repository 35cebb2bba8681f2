"""Reads for the tree page: its tasks over its last runs, how its runs went, and what it was made from or became."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from statistics import median
from typing import Any
from uuid import UUID

from django.db.models import Count

from orchestration.domain.states import Kind, Mode, Status
from orchestration.models import Attempt, Event, Run, Task, Tree
from orchestration.selectors.access import trees_for_read

MATRIX_RUNS = 12
DURATIONS = 20  # completed runs that the median is of
RELATIVES = 30  # trees of a lineage strip


@dataclass(frozen=True, slots=True)
class Statistics:
    """How the runs of a tree went."""

    ended: int
    completed: int
    median_s: float | None  # of whole-tree runs that completed
    longest_s: float | None


@dataclass(frozen=True, slots=True)
class References:
    """What would miss a tree: links to it, and what it holds."""

    links: list[tuple[int, str]]  # trees that link to it: id, name; only those that the user may see
    links_hidden: int
    attempts: int
    copies: int


def matrix_runs(tree: Tree) -> list[Run]:
    """The newest runs, oldest first."""
    return list(Run.objects.filter(tree=tree).order_by("-number")[:MATRIX_RUNS])[::-1]


def matrix_states(runs: list[Run], task_ids: Collection[UUID]) -> dict[UUID, dict[int, str]]:
    """Task -> run id -> status, or "blocked"; absent: the run left it out. Three queries, whatever the size."""
    found: dict[UUID, dict[int, str]] = defaultdict(dict)
    stuck = [run.pk for run in runs if run.blocked or run.cancelled]
    if stuck:
        kinds = {Kind.TASK_BLOCKED.value: "blocked", Kind.TASK_CANCELLED.value: Status.CANCELLED.value}
        events = Event.objects.filter(run__in=stuck, kind__in=kinds).order_by("seq")
        wanted = set(task_ids)
        for task_id, run_id, kind in events.values_list("task_id", "run_id", "kind"):
            if task_id in wanted:
                found[task_id][run_id] = kinds[kind]
    now = Task.objects.filter(pk__in=task_ids, run__in=runs).values_list("pk", "run_id", "status", "blocked_by_id")
    for task_id, run_id, status, blocker in now:
        found[task_id][run_id] = "blocked" if blocker and status == Status.PENDING else status
    attempts = Attempt.objects.filter(run__in=runs, task__in=task_ids).order_by("number")
    for task_id, run_id, status in attempts.values_list("task_id", "run_id", "status"):
        if found[task_id].get(run_id) != "blocked":
            found[task_id][run_id] = status
    return found


def statistics_of(tree: Tree) -> Statistics:
    """Counts over all ended runs. Two queries."""
    ended = Run.objects.filter(tree=tree).exclude(status=Status.IN_PROGRESS)
    counts = {row["status"]: row["n"] for row in ended.order_by().values("status").annotate(n=Count("pk"))}
    whole = ended.filter(status=Status.COMPLETED, mode=Mode.ALL).order_by("-number")
    times = [
        (end - start).total_seconds()
        for start, end in whole.values_list("started_at", "completed_at")[:DURATIONS]
        if end
    ]
    return Statistics(
        ended=sum(counts.values()),
        completed=counts.get(Status.COMPLETED, 0),
        median_s=median(times) if times else None,
        longest_s=max(times, default=None),
    )


def relatives(user: Any, tree: Tree) -> tuple[Tree | None, list[Tree]]:
    """(the tree that *tree* was made from, those that were made from it), as far as *user* may see them."""
    seen = trees_for_read(user)
    original = seen.filter(pk=tree.original_id).first() if tree.original_id else None
    return original, list(seen.filter(original=tree).order_by("pk")[:RELATIVES])


def references(user: Any, tree: Tree) -> References:
    """What a delete of *tree* takes or is refused for. Four queries."""
    linking = Tree.objects.filter(tasks__linked_attempt__task__tree=tree).exclude(pk=tree.pk).distinct()
    seen = list(linking.filter(pk__in=trees_for_read(user).values("pk")).values_list("pk", "name")[:RELATIVES])
    return References(
        links=seen,
        links_hidden=max(0, linking.count() - len(seen)),
        attempts=Attempt.objects.filter(run__tree=tree).count(),
        copies=Tree.objects.filter(original=tree).count(),
    )
