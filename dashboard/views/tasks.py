"""The task page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from dashboard.contexts.calls import api_of, task_calls
from dashboard.contexts.runs import may_cancel, may_run
from dashboard.contexts.tasks import task_view
from dashboard.contexts.why import task_why
from dashboard.forms import number_of
from dashboard.htmx import fragment, is_htmx
from dashboard.live import render as text_of
from orchestration.models import Task
from orchestration.selectors import access
from orchestration.selectors.tasks import task_detail


@require_GET
def task_page(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Everything about a task; `?run=` or `?attempt=` chooses an older attempt. htmx gets the inside."""
    task = access.task_for_read(request.user, task_id)
    context = task_context(request, task)
    if is_htmx(request):
        return fragment(text_of("dashboard/task_live.html", **context))
    return render(request, "dashboard/task_page.html", context)


def task_context(request: HttpRequest, task: Task) -> dict[str, Any]:
    """What page and panel show."""
    number, run_id = number_of(request.GET.get("attempt")), number_of(request.GET.get("run"))
    detail = task_detail(task, number=number, run_id=run_id)
    allowed = may_run(request.user, task.tree_id)
    newest = detail.attempt is None or detail.attempt.number == task.attempt
    tree = task.tree
    editable = tree.owner_id == request.user.pk or getattr(request.user, "is_superuser", False)
    return {
        "view": task_view(detail),
        "why": task_why(request.user, task, allowed=allowed, editable=editable) if newest else None,
        "may_run": allowed,
        "may_cancel": allowed or may_cancel(request.user, task.tree_id),
        "may_edit": editable,
        "tree_id": tree.pk,
        "calls": task_calls(task, api_of(request), allowed=allowed),
        "page_url": request.get_full_path(),
    }
