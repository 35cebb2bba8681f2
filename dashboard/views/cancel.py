"""Cancel with its blast radius: a preview by GET (a dialog's inside for htmx), the act by POST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_http_methods

from dashboard import live
from dashboard.contexts.calls import Call, api_of, cancel_call
from dashboard.contexts.runs import rights_on
from dashboard.contexts.values import blast_words, tasks_words
from dashboard.htmx import fragment, go, is_htmx, notice
from dashboard.live import render as text_of
from orchestration.models import Run, Task
from orchestration.selectors import access
from orchestration.selectors.run_feed import affected, affected_of, downstream_names, subtree
from orchestration.services import runs as run_services


@require_http_methods(["GET", "POST"])
def run_cancel(request: HttpRequest, run_id: int) -> HttpResponse:
    """Cancel everything of the run that has not ended; GET says what that is."""
    run = access.run_for_cancel(request.user, run_id)
    if request.method == "GET":
        return _ask(request, run)
    run = run_services.run_cancel(user=request.user, run_id=run_id, reason=request.POST.get("reason", ""))
    if is_htmx(request):
        fresh = live.load_run(run.pk)
        actions = live.actions_html(fresh, rights=rights_on(request.user, fresh.tree_id))
        return fragment(live.head_html(fresh) + actions + notice(gettext("The run is being cancelled.")))
    return go(request, run.get_absolute_url(), gettext("The run is being cancelled."))


def _ask(request: HttpRequest, run: Run) -> HttpResponse:
    parts = affected(run) if run.is_active else {}
    return _answer(request, {
        "what": (gettext("run %(number)s of %(name)s") % {"number": run.number, "name": run.tree.name}),
        "button": _button(blast_words(parts), gettext("Cancel run")),
        "action": f"/runs/{run.pk}/cancel",
        "back": run.get_absolute_url(),
        "keep": gettext("Keep running"),
        "parts": _parts(parts),
        "blocked": [],
        "over": not run.is_active,
    })  # fmt: skip


@require_http_methods(["GET", "POST"])
def task_cancel(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Cancel the task, with `subtree` also everything under it; GET says what that stops and blocks."""
    task = access.task_for_cancel(request.user, task_id)
    if request.method == "GET":
        return _ask_task(request, task, whole=request.GET.get("subtree") == "1")
    whole = request.POST.get("subtree") == "1"
    run_services.task_cancel(user=request.user, task_id=task.pk, reason=request.POST.get("reason", ""), subtree=whole)
    return go(request, task.get_absolute_url(), gettext("Cancelled, or being stopped."))


def _ask_task(request: HttpRequest, task: Task, *, whole: bool) -> HttpResponse:
    active = task.run is not None and task.run.is_active
    below = subtree(task).filter(run=task.run) if active else Task.objects.none()
    chosen = below if whole else below.filter(pk=task.pk)
    parts = affected_of(chosen) if active else {}
    names, count = downstream_names(task, chosen) if active else ([], 0)
    words = blast_words(parts)
    return _answer(request, {
        "what": (gettext("%(name)s and everything under it") % {"name": task.name}) if whole else task.name,
        "button": _button(words, gettext("Cancel task")),
        "action": f"/tasks/{task.pk}/cancel",
        "back": task.get_absolute_url(),
        "keep": gettext("Keep"),
        "parts": _parts(parts),
        "blocked": names,
        "blocked_more": count - len(names),
        "blocked_words": ngettext(
            "%(tasks)s will not run: it needs these", "%(tasks)s will not run: they need these", count
        ) % {"tasks": tasks_words(count)},
        "over": not words,
        "subtree": whole,
        "other": "" if not task.children.exists() else f"/tasks/{task.pk}/cancel{'' if whole else '?subtree=1'}",
    })  # fmt: skip


def _button(words: str, plain: str) -> str:
    return gettext("Cancel %(what)s") % {"what": words} if words else plain


def _parts(parts: dict[str, tuple[list[str], int]]) -> list[dict[str, Any]]:
    verbs = {"running": gettext("will be stopped"), "waiting": gettext("will never start")}
    return [
        {"words": f"{tasks_words(count)} {word}, {verbs[word]}", "names": names, "more": count - len(names)}
        for word, (names, count) in parts.items()
        if count
    ]


def _answer(request: HttpRequest, ask: dict[str, Any]) -> HttpResponse:
    path = ask["action"].removesuffix("/cancel")
    calls = () if ask["over"] else (Call(gettext("Cancel it"), cancel_call(f"{api_of(request)}{path}/cancel/")),)
    if is_htmx(request):
        return fragment(text_of("dashboard/cancel_form.html", ask=ask, dialog=True, calls=calls))
    return render(request, "dashboard/cancel_page.html", {"ask": ask, "calls": calls})
