"""The builder: begin a draft, look at it, save it or throw it away. Its edits are in builder_edit."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.board import Board
from dashboard.htmx import fragment, go, is_htmx, notice
from dashboard.starters import starter_text, starters
from orchestration.builders.draft import draft_from_text, draft_from_tree, draft_save, fresh_item
from orchestration.domain.errors import Conflict, Invalid, Problem
from orchestration.models import TreeDraft
from orchestration.selectors import access
from orchestration.services import drafts, runs

NEW_NAME = gettext_lazy("New tree")
PATTERNS = {
    "04_sequential_pipeline.json": (gettext_lazy("Sequential pipeline"), gettext_lazy("one step after the other")),
    "05_fan_out.json": ("Fan-out", gettext_lazy("independent tasks in parallel, urgent ones first")),
    "06_fan_in.json": ("Fan-in", gettext_lazy("many sources, one result")),
    "07_complex_workflow.json": (
        gettext_lazy("Complex workflow"),
        gettext_lazy("both at once, with a folder for the checks"),
    ),
    "08_conditional_execution.json": (
        gettext_lazy("Conditional execution"),
        gettext_lazy("a fallback serves when the first source fails"),
    ),
}
"""The five patterns of the guide, among the files of examples/."""


@require_http_methods(["GET", "POST"])
def build(request: HttpRequest) -> HttpResponse:
    """Begin: from nothing, from a pattern, from an example, or go on with a draft that was kept."""
    access.require_create(request.user)
    user = cast(User, request.user)
    if request.method == "POST":
        text = starter_text(request.POST.get("starter", ""))
        array = (
            draft_from_text(text) if text else [fresh_item(request.POST.get("name", "").strip()[:255] or str(NEW_NAME))]
        )
        draft = drafts.draft_start(user=user, array=array)
        return go(request, f"/trees/build/{draft.pk}")
    known = starters()
    kept = [(draft, drafts.draft_array(draft)) for draft in drafts.drafts_of(user)]
    context = {
        "kept": [(draft, array[0]["name"], len(array)) for draft, array in kept],
        "patterns": [(one.key, *PATTERNS[one.key]) for one in known if one.key in PATTERNS],
        "samples": [(one.key, *told) for one in known if one.key not in PATTERNS and (told := _told(one.key))],
    }
    return render(request, "dashboard/builder/start.html", context)


@lru_cache(maxsize=64)
def _told(key: str) -> tuple[str, int] | None:
    """The name of an example and how many tasks it has; None when it needs what is not installed."""
    try:
        array = draft_from_text(starter_text(key))
    except Invalid:
        return None
    return array[0]["name"], len(array)


@require_GET
def tree_edit(request: HttpRequest, tree_id: int) -> HttpResponse:
    """The builder on a tree that is stored: with the draft that was kept, else with what is stored."""
    tree = access.tree_for_write(request.user, tree_id)
    draft = drafts.draft_of_tree(user=cast(User, request.user), tree_id=tree_id, array=draft_from_tree(tree))
    return _page(request, draft)


@require_GET
def draft_page(request: HttpRequest, draft_id: int) -> HttpResponse:
    """The builder on a draft of one's own. Choosing a task or a view sends for fragments only."""
    return _page(request, drafts.draft_for(cast(User, request.user), draft_id))


def _page(request: HttpRequest, draft: TreeDraft) -> HttpResponse:
    query = request.GET
    board = Board(request, draft, drafts.draft_array(draft), query.get("task", ""), query.get("view", ""))
    if is_htmx(request):
        return fragment(board.partials("tools", "side") + (board.partials("lines") if query.get("lines") else ""))
    return render(request, "dashboard/builder/page.html", board.page())


@require_POST
def draft_store(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Save; then to the tree, or to its run. What is wrong is told, and the draft stays."""
    user = cast(User, request.user)
    draft = drafts.draft_for(user, draft_id)
    how = request.POST.get("how", "")
    try:
        tree = draft_save(user=user, draft_id=draft_id, as_new=how == "new")
    except Invalid as error:
        return _refused(request, draft, error.problems)
    except Conflict as error:
        return _refused(request, draft, [Problem("", error.message, error.code)])
    if how == "run":
        return go(request, runs.run_start(user=user, tree_id=tree.pk).get_absolute_url())
    return go(
        request, tree.get_absolute_url(), (gettext("“%(name)s” is saved and ready to run.") % {"name": tree.name})
    )


def _refused(request: HttpRequest, draft: TreeDraft, problems: list[Problem]) -> HttpResponse:
    text = gettext("Not saved: ") + "; ".join(problem.message for problem in problems[:5])
    if is_htmx(request):
        return fragment(notice(text, "error"))
    task, view = request.POST.get("task", ""), request.POST.get("view", "")
    board = Board(request, draft, drafts.draft_array(draft), task, view)
    return render(request, "dashboard/builder/page.html", board.page() | {"refused": text}, status=400)


@require_POST
def draft_drop(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Discard the draft; a tree that is stored stays as it is."""
    draft = drafts.draft_discard(user=cast(User, request.user), draft_id=draft_id)
    if draft.tree is not None:
        again = request.POST.get("again") == "1"
        url = f"/trees/{draft.tree.pk}/edit" if again else draft.tree.get_absolute_url()
        return go(request, url, gettext("The draft is discarded; the tree is as it was."))
    return go(request, "/trees/build", gettext("The draft is discarded."))
