"""The task page and its cancel button."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from dashboard.contexts.runs import may_run
from dashboard.contexts.tasks import task_view
from dashboard.forms import number_of
from dashboard.htmx import fragment, go, is_htmx
from dashboard.live import render as text_of
from orchestration.selectors import access
from orchestration.selectors.tasks import task_detail
from orchestration.services import runs as run_services


@require_GET
def task_page(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Everything about a task; `?run=` or `?attempt=` chooses an older attempt. htmx gets the inside."""
    task = access.task_for_read(request.user, task_id)
    number, run_id = number_of(request.GET.get("attempt")), number_of(request.GET.get("run"))
    context = {
        "view": task_view(task_detail(task, number=number, run_id=run_id)),
        "may_run": may_run(request.user, task.tree_id),
        "page_url": request.get_full_path(),
    }
    if is_htmx(request):
        return fragment(text_of("dashboard/task_live.html", **context))
    return render(request, "dashboard/task_page.html", context)


@require_POST
def task_cancel(request: HttpRequest, task_id: UUID) -> HttpResponse:
    """Cancel the task, with `subtree` also everything under it."""
    task = access.task_for_run(request.user, task_id)
    subtree = request.POST.get("subtree") == "1"
    run_services.task_cancel(user=request.user, task_id=task.pk, reason=request.POST.get("reason", ""), subtree=subtree)
    return go(request, task.get_absolute_url(), "Cancelled, or being stopped.")
