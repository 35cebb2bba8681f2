"""Which way the list of runs is read, so that its first page is there at once among a million runs.

Two ways lead to the newest runs of a filter. To walk over all runs from the newest one on is right when many fit; to
take what fits by an index and sort it is right when few do, as the walk would go on to the first run that there ever
was. A planner knows that only from statistics, and SQLite has none, so it is found out here, by cheap counts that stop
at FEW. An expression in the place of a column ("id + 0") keeps the database from the other way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Min, Q, QuerySet, Sum, Value
from django.db.models.functions import Concat

from orchestration.models import Run, Tree
from orchestration.selectors.access import runs_for_read, sees_all, trees_for_read
from orchestration.selectors.counting import capped_count

FEW = 30_000  # runs that are sorted rather than walked over


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What the list of runs shows; all of it is in the URL."""

    search: str = ""  # in the name of the tree
    state: str = ""
    mine: bool = False  # started by me
    since: datetime | None = None
    before: int | None = None  # keyset: only runs with a smaller id


@dataclass(frozen=True, slots=True)
class RunQuery:
    """The runs of a filter that a user may see, and the way to the newest of them."""

    runs: QuerySet[Run]
    few: bool

    def newest(self, count: int, before: int | None = None) -> QuerySet[Run]:
        """The newest *count* of them, newest first, older than run *before* (keyset)."""
        runs = self.runs if before is None else self.runs.filter(pk__lt=before)
        runs = runs.select_related("tree", "started_by")
        return runs.order_by((F("pk") + 0).desc() if self.few else F("pk").desc())[:count]


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


def run_query(user: Any, wanted: RunFilter) -> RunQuery:
    """The same runs as `runs_matching`, and how to read them. Up to four queries, each of which reads at most FEW."""
    trees, runs = _trees(user, wanted.search), Run.objects.all()
    least = of_trees = FEW + 1 if trees is None else trees.aggregate(runs=Sum("run_count"))["runs"] or 0
    if wanted.mine and least > FEW:
        least = capped_count(Run.objects.filter(started_by=user), FEW)
    by_state = bool(wanted.state) and (wanted.mine or least <= FEW) and _has_fewer(wanted.state, least)
    few = least <= FEW and not by_state
    if trees is not None:
        runs = _where(runs, "tree_id", indexed=few and of_trees <= FEW, among=trees.values("pk"))
    if wanted.mine:
        runs = _where(runs, "started_by_id", indexed=not by_state and of_trees > FEW, among=[user.pk])
    if wanted.state and few:
        runs = runs.alias(state=Concat("status", Value(""))).filter(state=wanted.state)
    elif wanted.state:
        runs = runs.filter(status=wanted.state)
    if wanted.since is not None:
        runs = runs.filter(_since(wanted.since))
    return RunQuery(runs, few)


def _has_fewer(state: str, least: int) -> bool:
    """Whether fewer runs than *least* have *state*: no way is shorter then, as they lie together, in their order."""
    return capped_count(Run.objects.filter(status=state), min(least, FEW)) < least


def _where(runs: QuerySet[Run], column: str, *, indexed: bool, among: Any) -> QuerySet[Run]:
    """Those whose *column*, a number, is *among* these; not by its index unless *indexed*."""
    if indexed:
        return runs.filter((f"{column}__in", among))
    return runs.alias(**{f"bare_{column}": F(column) + 0}).filter((f"bare_{column}__in", among))


def _trees(user: Any, search: str) -> QuerySet[Tree] | None:
    """The trees whose runs are looked for; None: all there are."""
    trees = trees_for_read(user)
    if search:
        return trees.filter(name__icontains=search)
    return None if sees_all(user) else trees


def _since(since: datetime) -> Q:
    """Runs that started then or later. Where they are few, their smallest id ends the walk: ids rise with time."""
    late = Run.objects.filter(started_at__gte=since)
    if capped_count(late, FEW) > FEW:
        return Q(started_at__gte=since)
    first = late.aggregate(first=Min(F("pk") + 0))["first"]  # of the bare id SQLite would walk up from the first run
    return Q(started_at__gte=since, pk__gte=0 if first is None else first)
