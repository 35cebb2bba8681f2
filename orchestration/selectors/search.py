"""Reads for the palette: trees, runs and tasks by a few letters."""

from __future__ import annotations

from typing import Any

from orchestration.models import Run, Task, Tree
from orchestration.selectors.access import runs_for_read, tasks_for_read, trees_for_read
from orchestration.selectors.run_query import RunFilter, run_query

MIN_TASK_SEARCH = 2  # letters; one letter finds a task in every tree


def trees_named(user: Any, text: str, limit: int) -> list[Tree]:
    """The newest trees with *text* in their name."""
    return list(trees_for_read(user).filter(name__icontains=text).order_by("-pk")[:limit])


def runs_named(user: Any, text: str, limit: int) -> list[Run]:
    """The newest runs with *text* in the name of their tree, or the run of that id ("#12" or "12")."""
    number = text.removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) < 10:
        return list(runs_for_read(user).select_related("tree").filter(pk=int(number)))
    return list(run_query(user, RunFilter(search=text)).newest(limit))


def tasks_named(user: Any, text: str, limit: int) -> list[Task]:
    """Tasks with *text* in their name, roots left out: their trees are found already."""
    if len(text) < MIN_TASK_SEARCH:
        return []
    tasks = tasks_for_read(user).filter(parent__isnull=False, name__icontains=text)
    return list(tasks.select_related("tree").order_by("-tree_id", "position")[:limit])
