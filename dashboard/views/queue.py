"""The queue: what runs next and why."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard.contexts.calls import api_of, queue_calls
from dashboard.contexts.queue import SHOWN, QueueView, in_order, queue_view
from dashboard.htmx import fragment, is_htmx
from dashboard.live import render as text_of
from orchestration.models import Task, TreeShare
from orchestration.selectors.access import tasks_for_read, trees_for_read
from orchestration.selectors.explain_history import slots_for


@require_GET
def queue(request: HttpRequest) -> HttpResponse:
    """Ready tasks in the order in which they start; htmx gets the inside."""
    view = queue_of_user(request)
    if is_htmx(request):
        return fragment(text_of("dashboard/queue_live.html", view=view))
    return render(request, "dashboard/queue.html", {"view": view, "calls": queue_calls(api_of(request))})


def queue_of_user(request: HttpRequest) -> QueueView:
    """The queue as *request.user* may see it. A constant number of queries."""
    slots = slots_for(request.user, timezone.now(), with_queue=True)
    order = in_order(slots)
    near = [UUID(queued.task) for queued in order[: SHOWN * 5]]
    seen = set(tasks_for_read(request.user).filter(pk__in=near).values_list("pk", flat=True))
    shown = [task_id for task_id in near if task_id in seen][:SHOWN]
    tasks = {task.pk.hex: task for task in Task.objects.filter(pk__in=shown).select_related("tree", "run")}
    runnable = _runnable(request, {task.tree_id for task in tasks.values()})
    return queue_view(slots, order, tasks, runnable, hidden=len(near) - len(seen))


def _runnable(request: HttpRequest, tree_ids: set[int]) -> set[int]:
    """Those of the trees that the user may run; the service checks again."""
    if not request.user.has_perm("orchestration.run_tree"):
        return set()
    trees = trees_for_read(request.user).filter(pk__in=tree_ids)
    if request.user.is_superuser:
        return set(trees.values_list("pk", flat=True))
    shared = TreeShare.objects.filter(user=request.user.pk, right=TreeShare.RUN).values_list("tree_id", flat=True)
    return set(trees.filter(owner=request.user.pk).values_list("pk", flat=True)) | (set(shared) & tree_ids)
