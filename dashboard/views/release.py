"""A dependency that holds a task back is made optional: a preview by GET, the act and a new run by POST."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from dashboard.contexts.calls import api_of, release_calls
from dashboard.htmx import go
from orchestration.domain.errors import NotFound
from orchestration.domain.states import Mode
from orchestration.models import Task
from orchestration.selectors import access
from orchestration.selectors.trees import active_run
from orchestration.services import runs as run_services
from orchestration.services.dependencies import dependency_of
from orchestration.services.release import dependency_release

NAMED = 12  # tasks that the question names


@require_http_methods(["GET", "POST"])
def task_release(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Ask, saying what will run; then change the dependency `on` and run what waited for it."""
    task = access.task_for_read(request.user, task_id)
    access.tree_for_write(request.user, task.tree_id)
    on = _uuid(request.POST.get("on") or request.GET.get("on", ""))
    dependency = dependency_of(task, on)
    if request.method == "POST":
        run = dependency_release(user=request.user, task_id=task.pk, depends_on=on)
        return go(request, run.get_absolute_url())
    active = active_run(task.tree)
    found = {} if active else run_services.run_preview(
        user=request.user, tree_id=task.tree_id, mode=Mode.FROM, chosen=[str(task.pk)]
    )  # fmt: skip
    names = _names(task, {task_id for task_id, decision in found.items() if decision.runs})
    context = {
        "task": task,
        "other": dependency.depends_on,
        "required": dependency.required,
        "active": active,
        "count": len(names),
        "names": names[:NAMED],
        "more": max(0, len(names) - NAMED),
        "calls": release_calls(task, on, api_of(request)),
    }
    return render(request, "dashboard/release.html", context)


def _names(task: Task, ids: set[str]) -> list[str]:
    tasks = Task.objects.filter(tree=task.tree_id).order_by("position").values_list("pk", "name")
    return [name for pk, name in tasks if pk.hex in ids]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("name the task that is waited for: on=<its id>") from None
