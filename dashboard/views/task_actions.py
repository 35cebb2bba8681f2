"""What can be done with a task, besides cancelling it: look at it beside the run, edit, reprioritise, move a link."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.contexts.task_form import form_of, posted_form, task_changes
from dashboard.forms import number_of
from dashboard.htmx import fragment, go, is_htmx
from dashboard.live import render as text_of
from dashboard.views.queue import queue_of_user
from dashboard.views.tasks import task_context
from orchestration.domain.errors import Conflict, Invalid, OrchestrationError
from orchestration.models import Task
from orchestration.selectors import access
from orchestration.services import queue as queue_services
from orchestration.services import transitions_snapshot
from orchestration.services import trees as tree_services


@require_GET
def task_panel(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """The task in brief, for the side of the run page; without htmx the page itself."""
    task = access.task_for_read(request.user, task_id)
    if not is_htmx(request):
        return HttpResponseRedirect(f"{task.get_absolute_url()}?{request.GET.urlencode()}")
    context = task_context(request, task)
    return fragment(text_of("dashboard/task_panel.html", **context, query=request.GET.urlencode()))


@require_http_methods(["GET", "POST"])
def task_edit(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """A form for the definition; a bad or late one comes back with its texts and what is wrong."""
    task = access.task_for_read(request.user, task_id)
    access.tree_for_write(request.user, task.tree_id)
    if request.method == "GET":
        return _form(request, task, form_of(task), {})
    texts = posted_form(request.POST)
    changes, problems = task_changes(texts, task)
    if problems:
        return _form(request, task, texts, problems, status=400)
    version = number_of(request.POST.get("version")) or 0
    try:
        tree_services.task_update(user=cast(User, request.user), task_id=task.pk, version=version, changes=changes)
    except Invalid as error:
        found: dict[str, list[str]] = {}
        for problem in error.problems:
            found.setdefault(problem.path.split(".")[0].split("[")[0], []).append(problem.message)
        return _form(request, task, texts, found, status=400)
    except Conflict as error:
        return _late(request, task, texts, error)
    return go(request, task.get_absolute_url(), gettext("Changed. The next run takes it."))


def _late(request: HttpRequest, task: Task, texts: dict[str, str], error: Conflict) -> HttpResponse:
    """Somebody else was first, or a run is active: the texts stay, and what is stored now stands beside them."""
    task.refresh_from_db()
    stored = form_of(task)
    theirs = [
        {"field": key.replace("_", " "), "now": stored[key], "yours": texts.get(key, "")}
        for key in stored
        if key != "version" and stored[key] != texts.get(key, "")
    ]
    texts = {**texts, "version": str(task.version)} if error.code == "stale_version" else texts
    return _form(request, task, texts, {"": [error.message]}, status=error.status, theirs=theirs)


def _form(
    request: HttpRequest, task: Task, texts: dict[str, str], problems: dict[str, list[str]], *, status: int = 200,
    theirs: list[dict[str, Any]] | None = None,
) -> HttpResponse:  # fmt: skip
    context = {"task": task, "texts": texts, "problems": problems, "theirs": theirs or [], "tree": task.tree}
    context["general"] = [text for key, found in problems.items() if key not in texts for text in found]
    return render(request, "dashboard/task_edit.html", context, status=status)


@require_POST
def task_priority(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Another priority; back to the queue (its fragment for htmx) or to the task."""
    value = number_of(request.POST.get("priority"))
    if value is None:
        raise OrchestrationError("use 0 urgent, 1 high, 2 normal or 3 low", field="priority")
    task = queue_services.task_prioritise(user=request.user, task_id=task_id, priority=value)
    if request.POST.get("next") != "queue":
        return go(request, task.get_absolute_url(), gettext("Its priority is changed."))
    if is_htmx(request):
        return fragment(text_of("dashboard/queue_live.html", view=queue_of_user(request)))
    return go(request, "/queue/", (gettext("“%(name)s” has another priority.") % {"name": task.name}))


@require_POST
def link_move(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """The link shows the newest result of its original."""
    task = transitions_snapshot.link_move(user=cast(User, request.user), task_id=task_id)
    target = task.tree.get_absolute_url() if request.POST.get("next") == "tree" else task.get_absolute_url()
    return go(request, target, (gettext("“%(name)s” shows the newest result now.") % {"name": task.name}))
