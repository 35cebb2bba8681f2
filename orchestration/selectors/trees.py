"""Reads for tree pages: the list with its last runs, and the outline of one tree."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, QuerySet

from orchestration.domain.states import Status
from orchestration.models import Dependency, Run, Task, Tree
from orchestration.selectors.access import trees_for_read

PAGE = 50
STRIP = 10  # runs in a glyph strip
OUTLINE = 500  # tasks of one page of an outline
EDGES = 8  # dependencies named per task of an outline


@dataclass(frozen=True, slots=True)
class TreeFilter:
    """What the list of trees shows; all of it is in the URL."""

    search: str = ""
    state: str = ""  # of the newest run; or "never", "archived"
    label: str = ""
    mine: bool = False
    before: int | None = None  # keyset: only trees with a smaller id


@dataclass(frozen=True, slots=True)
class Edge:
    """A dependency in words."""

    task_id: UUID
    name: str
    required: bool


@dataclass(frozen=True, slots=True)
class OutlineTask:
    """A task of a tree's definition."""

    id: UUID
    position: int
    depth: int
    name: str
    executor: str
    priority: int
    edges: tuple[Edge, ...]
    more_edges: int


@dataclass(frozen=True, slots=True)
class Outline:
    tasks: list[OutlineTask]
    previous: int | None
    next: int | None


def trees_matching(user: Any, wanted: TreeFilter) -> QuerySet[Tree]:
    """The trees of the filter that *user* may see, in no order."""
    trees = trees_for_read(user)
    if wanted.search:
        trees = trees.filter(name__icontains=wanted.search)
    if wanted.mine:
        trees = trees.filter(owner=user)
    if wanted.label:
        trees = trees.filter(labels__icontains=json.dumps(wanted.label))
    if wanted.state == "never":
        trees = trees.filter(run_count=0, archived_at=None)
    elif wanted.state == "archived":
        trees = trees.exclude(archived_at=None)
    elif wanted.state:
        # one look per tree, from the newest on: by a join SQLite would begin with all runs of that state
        newest = Run.objects.filter(tree=OuterRef("pk"), number=OuterRef("run_count"), status=wanted.state)
        trees = trees.filter(Exists(newest))
    return trees


def tree_page(user: Any, wanted: TreeFilter) -> list[Tree]:
    """Up to PAGE + 1 trees, newest first. One query."""
    trees = trees_matching(user, wanted).select_related("owner")
    if wanted.before is not None:
        trees = trees.filter(pk__lt=wanted.before)
    return list(trees.order_by("-pk")[: PAGE + 1])


def last_runs(tree_ids: list[int], count: int = STRIP) -> dict[int, list[Run]]:
    """Of the newest *count* runs that each tree has had, those that are there still, newest first. One query."""
    runs = Run.objects.filter(tree_id__in=tree_ids, number__gt=F("tree__run_count") - count)
    grouped: dict[int, list[Run]] = defaultdict(list)
    for run in runs.order_by("tree_id", "-number"):
        grouped[run.tree_id].append(run)
    return grouped


def outline(tree: Tree, start: int = 0, size: int = OUTLINE) -> Outline:
    """A window of the tree's tasks in outline order, with their dependencies. Three queries at most."""
    tasks = Task.objects.filter(tree=tree)
    fields = ("id", "position", "depth", "name", "executor", "priority")
    found = list(tasks.filter(position__gte=start).order_by("position").values(*fields)[: size + 1])
    here = found[:size]
    edges: dict[UUID, list[Edge]] = defaultdict(list)
    listed = Dependency.objects.filter(task__in=[t["id"] for t in here]).order_by("task_id", "position")
    columns = ("task_id", "depends_on_id", "depends_on__name", "required")
    for task_id, other, name, required in listed.values_list(*columns):
        edges[task_id].append(Edge(task_id=other, name=name, required=required))
    previous = max(0, start - size) if start else None
    return Outline(
        tasks=[
            OutlineTask(**t, edges=tuple(edges[t["id"]][:EDGES]), more_edges=max(0, len(edges[t["id"]]) - EDGES))
            for t in here
        ],
        previous=previous,
        next=found[size]["position"] if len(found) > size else None,
    )


def active_run(tree: Tree) -> Run | None:
    """The run of *tree* that has not ended, if there is one."""
    return Run.objects.filter(tree=tree, status=Status.IN_PROGRESS).first()
