"""What the palette finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from dashboard.contexts.common import run_state
from orchestration.domain.operations import Bulk, Kind
from orchestration.models import Run, Task, Tree
from orchestration.selectors import search

TREES, RUNS, TASKS = 5, 4, 6


@dataclass(frozen=True, slots=True)
class Found:
    """A line of the palette."""

    word: str
    hint: str
    url: str
    icon: str
    turns_theme: bool = False  # at once, where there is JavaScript; else *url* is the page to do it


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of the same sort."""

    word: str
    items: tuple[Found, ...]


def palette(user: Any, text: str) -> tuple[Group, ...]:
    """What fits *text*, pages first; everything that is a page without it. Three queries at most."""
    groups = [Group(_("Go to"), tuple(found for found in _pages(user) if text.lower() in found.word.lower()))]
    if text:
        trees = search.trees_named(user, text, TREES)
        groups += [
            Group(_("Trees"), tuple(_tree(tree) for tree in trees)),
            Group(_("Runs"), tuple(_run(run) for run in search.runs_named(user, text, RUNS))),
            Group(_("Tasks"), tuple(_task(task) for task in search.tasks_named(user, text, TASKS))),
            Group(_("Do"), tuple(_start(tree) for tree in trees if tree.archived_at is None)),
        ]
    return tuple(group for group in groups if group.items)


def _pages(user: Any) -> list[Found]:
    pages = [
        ("overview", _("Overview"), "layout-dashboard", "g o"),
        ("trees", _("Trees"), "binary-tree-2", "g t"),
        ("runs", _("Runs"), "player-play", "g r"),
        ("queue", _("Queue"), "stack-2", "g q"),
        ("executors", _("Executors"), "plug", ""),
        ("workers", _("Workers"), "server-2", ""),
        ("operations", _("Operations on many rows"), "list-details", ""),
        ("tree_new", _("New tree"), "plus", ""),
        ("me", _("Profile and time zone"), "user", ""),
    ]
    if user.is_staff:
        pages.append(("admin:index", _("Admin"), "settings", ""))
    theme = Found(_("Light or dark"), _("changes at once"), reverse("me"), "moon", turns_theme=True)
    return [*(Found(word, hint, reverse(name), icon) for name, word, icon, hint in pages), theme]


def _tree(tree: Tree) -> Found:
    return Found(tree.name, _("%(n)s tasks") % {"n": tree.task_count}, tree.get_absolute_url(), "binary-tree-2")


def _run(run: Run) -> Found:
    return Found(f"{run.tree.name} #{run.number}", run_state(run).word, run.get_absolute_url(), "player-play")


def _task(task: Task) -> Found:
    return Found(task.name, task.tree.name, task.get_absolute_url(), "list-details")


def _start(tree: Tree) -> Found:
    url = f"{reverse('bulk', args=[Kind.TREES])}?action={Bulk.RUN}&id={tree.pk}"
    return Found(_("Run %(name)s…") % {"name": tree.name}, _("asks first"), url, "activity")
