"""Settings of a tree: its name, labels, and how much of it runs at a time."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from dashboard.forms import number_of
from dashboard.htmx import go
from orchestration.domain.errors import OrchestrationError
from orchestration.services import queue as queue_services
from orchestration.services import trees as tree_services


@require_POST
def tree_rename(request: HttpRequest, tree_id: int) -> HttpResponse:
    """Another name for the tree and its root task."""
    name = request.POST.get("name", "").strip()
    tree = tree_services.tree_rename(user=cast(User, request.user), tree_id=tree_id, name=name)
    return go(request, tree.get_absolute_url(), "Renamed.")


@require_POST
def tree_labels(request: HttpRequest, tree_id: int) -> HttpResponse:
    """Labels, separated by commas."""
    labels = [label.strip() for label in request.POST.get("labels", "").split(",")]
    tree = tree_services.tree_label(user=cast(User, request.user), tree_id=tree_id, labels=[x for x in labels if x])
    return go(request, tree.get_absolute_url(), gettext("Labels are changed."))


@require_POST
def tree_limit(request: HttpRequest, tree_id: int) -> HttpResponse:
    """How many tasks of one run work at a time; 0 = as many as there are slots."""
    limit = number_of(request.POST.get("max_parallel", "").strip() or "0")
    if limit is None:
        raise OrchestrationError("use a whole number; 0 = no limit", field="max_parallel")
    tree = queue_services.tree_limit(user=request.user, tree_id=tree_id, max_parallel=limit)
    return go(request, tree.get_absolute_url(), gettext("The limit holds from the next run."))
