"""Actions on many rows: preview, start, progress, stop."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.contexts.bulk import operation_view, preview_view
from dashboard.contexts.calls import api_of, bulk_calls
from dashboard.contexts.common import query_of
from dashboard.forms import hours_of, number_of, run_filter_of, tree_filter_of
from dashboard.htmx import fragment, go, is_htmx
from dashboard.live import render as text_of
from orchestration.builders.bulk import worker
from orchestration.domain.errors import Invalid, NotFound, OrchestrationError, Problem
from orchestration.domain.operations import Bulk, Kind
from orchestration.domain.task_fields import check_labels
from orchestration.selectors import access
from orchestration.selectors.bulk import BulkPreview, bulk_preview, operation_for_read, operations
from orchestration.selectors.run_query import runs_matching
from orchestration.selectors.trees import trees_matching
from orchestration.services import bulk as services

MAX_IDS = 500  # rows chosen by hand
CARRIED = ("q", "state", "label", "mine", "hours")


@require_http_methods(["GET", "POST"])
def bulk(request: HttpRequest, kind: str) -> HttpResponse:
    """Say what would happen and to what; posted: let it happen and go to its progress."""
    asked = request.POST if request.method == "POST" else request.GET
    sort, action = _kind(kind), _action(asked)
    found = bulk_preview(user=request.user, kind=sort, action=action, chosen=_chosen(request.user, sort, asked))
    if request.method == "POST":
        return _start(request, sort, action, found)
    context = {"view": preview_view(sort, action, found), "carried": _carried(asked, found)}
    context["calls"] = bulk_calls(sort, action.value, found.ids, api_of(request))
    return render(request, "dashboard/bulk_preview.html", context)


@require_GET
def operation(request: HttpRequest, operation_id: int) -> HttpResponse:
    """How far an operation is; htmx gets the live part. One that a crash has left is taken up again."""
    found = operation_for_read(request.user, operation_id)
    if found.is_open:
        worker.wake()
    view = operation_view(found, timezone.now())
    if is_htmx(request):
        return fragment(text_of("dashboard/operation_live.html", view=view))
    return render(request, "dashboard/operation.html", {"view": view})


@require_GET
def operation_list(request: HttpRequest) -> HttpResponse:
    """The newest operations."""
    now = timezone.now()
    return render(
        request, "dashboard/operations.html", {"lines": [operation_view(o, now) for o in operations(request.user)]}
    )


@require_POST
def operation_stop(request: HttpRequest, operation_id: int) -> HttpResponse:
    """Stop after the step under way."""
    found = services.operation_abort(user=request.user, operation_id=operation_id)
    worker.wake()
    return go(request, found.get_absolute_url(), gettext("It stops; what is done stays done."))


def _start(request: HttpRequest, kind: Kind, action: Bulk, found: BulkPreview) -> HttpResponse:
    argument = _label(request.POST) if action is Bulk.LABEL else ""
    query = query_of(**{k: v for k, v in request.POST.items() if k in CARRIED}) if "all" in request.POST else ""
    created = services.operation_create(
        user=request.user,
        kind=kind,
        action=action,
        found=found,
        query=query,
        reason=request.POST.get("reason", ""),
        argument=argument,
    )
    worker.wake()
    return go(request, created.get_absolute_url())


def _kind(kind: str) -> Kind:
    try:
        return Kind(kind)
    except ValueError:
        raise NotFound(f"no list of {kind}") from None


def _action(asked: QueryDict) -> Bulk:
    try:
        return Bulk(asked.get("action", ""))
    except ValueError:
        raise OrchestrationError("choose what to do with the rows", field="action") from None


def _label(posted: QueryDict) -> str:
    problems: list[Problem] = []
    labels = check_labels([posted.get("label_text", "").strip()], "label", problems)
    if problems:
        raise Invalid(problems)
    return labels[0]


def _chosen(user: Any, kind: Kind, asked: QueryDict) -> QuerySet[Any]:
    if asked.get("all") == "1":
        found = _matching(user, kind, asked)
        newest = number_of(asked.get("upto"))
        return found if newest is None else found.filter(pk__lte=newest)
    ids = [number for number in map(number_of, asked.getlist("id")) if number is not None][:MAX_IDS]
    if not ids:
        raise OrchestrationError("choose at least one row: tick it, or tick “all that match”", field="id")
    every: QuerySet[Any] = access.trees_for_read(user) if kind is Kind.TREES else access.runs_for_read(user)
    return every.filter(pk__in=ids)


def _matching(user: Any, kind: Kind, asked: QueryDict) -> QuerySet[Any]:
    if kind is Kind.TREES:
        return trees_matching(user, tree_filter_of(asked))
    hours = hours_of(asked)
    return runs_matching(user, run_filter_of(asked, timezone.now() - timedelta(hours=hours) if hours else None))


def _carried(asked: QueryDict, found: BulkPreview) -> list[tuple[str, str]]:
    """What the form of the preview posts again."""
    if asked.get("all") == "1":
        kept = [(key, str(value)) for key, value in asked.items() if key in CARRIED and value]
        return [("all", "1"), ("upto", str(found.newest)), *kept]
    return [("id", value) for value in asked.getlist("id")]
