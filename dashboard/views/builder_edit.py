"""The edits of a draft: one POST each, kept at once, answered with fragments or by going back to the page."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from dashboard.board import Board
from dashboard.draft_ops import Edit, apply
from dashboard.htmx import fragment, is_htmx, notice
from orchestration.domain.errors import Invalid, OrchestrationError, Problem
from orchestration.domain.outline_edit import Array
from orchestration.models import TreeDraft
from orchestration.services import drafts

EVERYTHING = ("head", "tools", "lines", "checks", "side")
KEEPS_TEXT = {"json", "inputs"}  # what was typed comes back with the problems


@require_POST
@transaction.atomic
def draft_edit(request: HttpRequest, draft_id: int) -> HttpResponse:
    """One edit, named by `op`, of the task `task`."""
    draft = drafts.draft_for(cast(User, request.user), draft_id, lock=True)
    op, task = request.POST.get("op", ""), request.POST.get("task", "")
    if op in ("undo", "redo"):
        drafts.draft_shift(draft, -1 if op == "undo" else 1)
        return _shown(request, draft, Edit(drafts.draft_array(draft), task=task))
    array = drafts.draft_array(draft)
    try:
        edit = apply(op, array, task, request.POST.dict())
    except Invalid as error:
        return _refused(request, draft, array, error.problems)
    except OrchestrationError as error:
        return _refused(request, draft, array, [Problem("", error.message, error.code)])
    drafts.draft_edit(draft, edit.array, edit.what)
    return _shown(request, draft, edit)


def _shown(request: HttpRequest, draft: TreeDraft, edit: Edit) -> HttpResponse:
    view = request.POST.get("view", "")
    board = Board(request, draft, edit.array, edit.task, view, form=edit.form, inputs=edit.inputs)
    wrong = edit.form is not None or edit.inputs is not None
    if is_htmx(request):
        parts = tuple(part for part in EVERYTHING if not (edit.quiet and part == "side"))
        return fragment(board.partials(*parts) + (board.partials_quiet() if edit.quiet else "") + notice_of(wrong))
    if wrong:
        return render(request, "dashboard/builder/page.html", board.page(), status=400)
    return HttpResponseRedirect(board.url())


def notice_of(wrong: bool) -> str:
    """What was said before is over."""
    return notice(gettext("Some fields are not kept: see what is said at them."), "error") if wrong else notice_empty()


def notice_empty() -> str:
    return '<hx-partial hx-target="#notice" hx-swap="innerHTML"></hx-partial>'


def _refused(request: HttpRequest, draft: TreeDraft, array: Array, problems: list[Problem]) -> HttpResponse:
    """Nothing was changed; what was typed as JSON is still there."""
    op, task, view = (request.POST.get(key, "") for key in ("op", "task", "view"))
    typed = request.POST.get("array" if op == "json" else "raw", "") if op in KEEPS_TEXT else ""
    board = Board(request, draft, array, task, view, typed=typed, problems=problems if op == "json" else [])
    text = "; ".join(str(problem) for problem in problems[:5])
    if is_htmx(request):
        return fragment(notice(text, "error") + (board.partials("side") if op == "json" else ""))
    if op in KEEPS_TEXT:
        return render(request, "dashboard/builder/page.html", board.page() | {"refused": text}, status=400)
    messages.error(request, text)
    return HttpResponseRedirect(board.url())
