"""Copy, link, archive and mixed: options and a preview by GET, the new tree by POST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_http_methods

from dashboard.contexts.clone import PAGE, CloneAsked, clone_view
from dashboard.contexts.plan import hex_id
from dashboard.form_plan import json_object
from dashboard.forms import number_of
from dashboard.htmx import go
from orchestration.builders import archive, copy, link, mixed
from orchestration.builders.preview import ClonePreview
from orchestration.domain.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from orchestration.models import Task, Tree
from orchestration.selectors import access

MAX_LINKS = 10_000
MADE = {
    "copy": gettext_lazy("This is the copy: nothing of it has run yet."),
    "link": gettext_lazy("These are the links: they show the results of the original."),
    "archive": gettext_lazy("This is the archive: nobody can change it."),
    "mixed": gettext_lazy("This is the new tree: links keep their result, copies wait to be run."),
}


@require_http_methods(["GET", "POST"])
def tree_copy(request: HttpRequest, tree_id: int) -> HttpResponse:
    """An independent tree."""
    return _clone(request, tree_id, "copy")


@require_http_methods(["GET", "POST"])
def tree_link(request: HttpRequest, tree_id: int) -> HttpResponse:
    """A tree that shows the results of another."""
    return _clone(request, tree_id, "link")


@require_http_methods(["GET", "POST"])
def tree_archive(request: HttpRequest, tree_id: int) -> HttpResponse:
    """A frozen snapshot."""
    return _clone(request, tree_id, "archive")


@require_http_methods(["GET", "POST"])
def tree_mixed(request: HttpRequest, tree_id: int) -> HttpResponse:
    """Links for some tasks, copies for the others."""
    return _clone(request, tree_id, "mixed")


def _clone(request: HttpRequest, tree_id: int, kind: str) -> HttpResponse:
    tree = access.tree_for_read(request.user, tree_id)
    access.require_create(request.user)
    query = request.POST if request.method == "POST" else request.GET
    root = _root(tree, query.get("task", ""))
    asked = _asked(query, kind, root)
    if request.method == "POST":
        return _make(request, tree, root, asked)
    return _page(request, tree, root, asked)


def _root(tree: Tree, text: str) -> Task:
    """The chosen task of the tree, else its root. Raises NotFound."""
    chosen = hex_id(text)
    tasks = tree.tasks.filter(pk=UUID(chosen)) if chosen else tree.tasks.filter(parent=None)
    found: Task | None = tasks.first()
    if found is None:
        raise NotFound("this tree has no such task")
    return found


def _asked(query: QueryDict, kind: str, root: Task) -> CloneAsked:
    told = "options" in query  # unchecked boxes are not sent
    return CloneAsked(
        kind=kind,
        task=root.pk.hex,
        recursive=not told or query.get("recursive") == "1",
        upstream=not told or query.get("upstream") == "1",
        dependents=query.get("dependents") == "1",
        finished=query.get("finished") == "1",
        links=tuple(t for t in dict.fromkeys(map(hex_id, query.getlist("link")[:MAX_LINKS])) if t),
        start=number_of(query.get("start")) or 0,
    )


def _make(request: HttpRequest, tree: Tree, root: Task, asked: CloneAsked) -> HttpResponse:
    overrides, texts, problems = _overrides(request, tree, root, asked)
    asked = replace(asked, texts=texts, problems=problems, name=request.POST.get("name"))
    if problems:
        return _page(request, tree, root, asked, status=400)
    try:
        made: Tree = _call(asked, _BUILDERS, cast(User, request.user), overrides)
    except (Invalid, Conflict) as error:
        return _page(request, tree, root, replace(asked, problems={"": _messages(error)}), status=error.status)
    return go(request, made.get_absolute_url(), str(MADE[asked.kind]))


def _overrides(
    request: HttpRequest, tree: Tree, root: Task, asked: CloneAsked
) -> tuple[dict[str, dict[str, Any]], dict[str, str], dict[str, list[str]]]:
    """(changes, posted texts, problems) per task."""
    changes: dict[str, dict[str, Any]] = {}
    texts: dict[str, str] = {}
    problems: dict[str, list[str]] = {}
    if asked.kind not in {"copy", "mixed"}:
        return changes, texts, problems
    name = request.POST.get("name")
    if name is not None and name != root.name and asked.task not in asked.links:
        changes[asked.task] = {"name": name}
    named = [hex_id(key[7:]) for key in request.POST if key.startswith("inputs-")]
    for task in tree.tasks.filter(pk__in=[UUID(t) for t in named if t]):
        task_id, wrong = task.pk.hex, list[Problem]()
        text = request.POST[f"inputs-{task_id}"]
        value = json_object(text, wrong)
        if wrong:
            problems[task_id] = [problem.message for problem in wrong]
        if (wrong or value != task.inputs) and task_id not in asked.links:
            texts[task_id] = text
            changes.setdefault(task_id, {})["inputs"] = value
    return changes, texts, problems


def _messages(error: Invalid | Conflict | Forbidden) -> list[str]:
    if isinstance(error, Invalid):
        return [f"{problem.path.rsplit('.', 1)[-1]}: {problem.message}" for problem in error.problems]
    return [error.message]


def _page(request: HttpRequest, tree: Tree, root: Task, asked: CloneAsked, status: int = 200) -> HttpResponse:
    found: ClonePreview | None = None
    try:
        found = _call(asked, _PREVIEWS, cast(User, request.user), {})
    except (Invalid, Conflict, Forbidden) as error:
        asked = replace(asked, problems={**asked.problems, "": [*asked.problems.get("", []), *_messages(error)]})
    if found is None and asked.kind == "mixed":
        asked, found = _without_links(request, asked)
    page = found.tasks[asked.start : asked.start + PAGE] if found else []
    tasks = Task.objects.filter(pk__in=[UUID(line.source_id) for line in page]).select_related("run")
    view = clone_view(tree, root, asked, found, {task.pk.hex: task for task in tasks})
    return render(request, "dashboard/clone.html", {"view": view, "tree": tree}, status=status)


def _without_links(request: HttpRequest, asked: CloneAsked) -> tuple[CloneAsked, ClonePreview | None]:
    """For choosing: the preview of a copy, when nothing to link was named yet."""
    try:
        found: ClonePreview = _call(replace(asked, kind="copy"), _PREVIEWS, cast(User, request.user), {})
    except (Invalid, Conflict, Forbidden):
        return asked, None
    if not asked.links:
        asked = replace(
            asked, problems={"": [gettext("Tick the tasks that keep their result, then show the preview.")]}
        )
    return asked, found


def _call(asked: CloneAsked, table: dict[str, Callable[..., Any]], user: User, overrides: dict[str, Any]) -> Any:
    options: dict[str, Any] = {"user": user, "task_id": asked.task, "recursive": asked.recursive}
    if asked.kind in {"copy", "mixed"}:
        options |= {"include_upstream": asked.upstream, "include_dependents": asked.dependents, "overrides": overrides}
    if asked.kind == "mixed":
        options["link_ids"] = list(asked.links)
    if asked.kind == "archive":
        options["finished"] = asked.finished
    return table[asked.kind](**options)


_BUILDERS: dict[str, Callable[..., Any]] = {
    "copy": copy.tree_copy,
    "link": link.tree_link,
    "archive": archive.tree_archive,
    "mixed": mixed.tree_mixed,
}
_PREVIEWS: dict[str, Callable[..., Any]] = {
    "copy": copy.preview_copy,
    "link": link.preview_link,
    "archive": archive.preview_archive,
    "mixed": mixed.preview_mixed,
}
