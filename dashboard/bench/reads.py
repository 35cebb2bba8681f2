"""How fast the reads behind lists and pages are, compared with the least that Django does for the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from django.contrib.auth.models import User
from django.http import QueryDict

from dashboard.bench.sample import Sample
from orchestration.models import Dependency, Run, Task, Tree
from orchestration.selectors import api_rows
from orchestration.selectors.api_lists import MAX_PAGE, page_of, read_query
from orchestration.selectors.run_rows import WINDOW, Window, run_rows
from orchestration.selectors.trees import OUTLINE, outline

ROUNDS = 5


def measure_reads(sample: Sample, user: User) -> list[dict[str, Any]]:
    """Rows a second by our reads and by `values_list`, in turn: processor time, which other programs do not change."""
    tree, run = Tree.objects.get(pk=sample.tree), Run.objects.get(pk=sample.ended)
    tasks = Task.objects.filter(tree=tree).order_by("position")
    edges = Dependency.objects.filter(task__tree=tree).order_by("task_id", "position")
    plain = ("id", "position", "depth", "name", "executor", "priority")
    shown = (*plain, "status", "run_id", "progress", "error", "started_at", "completed_at", "ready_at", "retry_at")
    listed = [field.attname for field in Task._meta.concrete_fields if field.name not in api_rows.DEFINITION]
    names = ("task_id", "depends_on_id", "depends_on__name", "required")
    pairs: list[tuple[str, Callable[[], int], Callable[[], int]]] = [
        (
            "tree page: tasks with their dependencies",
            lambda: _outline(tree),
            lambda: len(tasks.values_list(*plain)) + len(edges.values_list(*names)),
        ),
        ("run page: rows", lambda: _rows(run), lambda: len(tasks.values_list(*shown))),
        ("API: list of tasks", lambda: _pages(user, tree), lambda: len(tasks.values_list(*listed))),
    ]
    return [_compared(name, ours, floor) for name, ours, floor in pairs]


def _compared(name: str, ours: Callable[[], int], floor: Callable[[], int]) -> dict[str, Any]:
    taken: dict[Callable[[], int], list[float]] = {ours: [], floor: []}
    for _ in range(ROUNDS + 1):  # the first one warms up
        for read, times in taken.items():
            began = time.thread_time()
            rows = read()
            times.append(rows / max(1e-6, time.thread_time() - began))
    rate, least = (median(times[1:]) for times in taken.values())
    figures = {"rows": rows, "rows_per_s": round(rate), "values_list_rows_per_s": round(least)}
    return {"read": name, **figures, "share": round(rate / least, 2)}


def _outline(tree: Tree) -> int:
    """Over all pages of the tree."""
    rows, start = 0, 0
    while True:
        found = outline(tree, start, OUTLINE)
        rows += len(found.tasks) + sum(len(task.edges) + task.more_edges for task in found.tasks)
        if found.next is None:
            return rows
        start = found.next


def _rows(run: Run) -> int:
    """Over all windows of the run."""
    found = run_rows(run, Window())
    rows = len(found.rows)
    while found.next is not None:
        found = run_rows(run, Window(start=found.next))
        rows += len(found.rows)
    assert rows % WINDOW == run.total % WINDOW
    return rows


def _pages(user: User, tree: Tree) -> int:
    """Over all pages of the API's list."""
    rows, cursor = 0, ""
    while True:
        asked = QueryDict(f"tree={tree.pk}&page_size={MAX_PAGE}{cursor}")
        page = page_of(api_rows.tasks(user), read_query(asked, api_rows.TASKS), api_rows.TASKS)
        rows += len(page.items)
        if page.next is None:
            return rows
        cursor = f"&cursor={page.next}"
