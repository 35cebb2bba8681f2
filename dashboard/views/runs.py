"""Runs: the list and the run page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from dashboard import live
from dashboard.contexts.calls import api_of, run_calls
from dashboard.contexts.insight import insight_comes_later, run_insight
from dashboard.contexts.rows import rows_view
from dashboard.contexts.runs import rights_on, run_actions, run_head
from dashboard.forms import window_of
from dashboard.htmx import fragment, is_htmx
from orchestration.selectors import access
from orchestration.selectors.run_rows import run_rows


@require_GET
def run_detail(request: HttpRequest, run_id: int) -> HttpResponse:
    """The run page; htmx gets its live parts."""
    run = access.run_for_read(request.user, run_id)
    window = window_of(request.GET)
    rights = rights_on(request.user, run.tree_id)
    if is_htmx(request):
        return fragment(live.snapshot(run.pk, window, rights=rights).html)
    later = "why" not in request.GET and insight_comes_later(run)
    why = None if later else run_insight(run)
    context = {
        "view": rows_view(run, window, run_rows(run, window), why.path if why else frozenset()),
        "head": run_head(run),
        "actions": run_actions(run, rights=rights),
        "why": why,
        "later": later,
        "allowed": rights.run,
        "calls": run_calls(run, api_of(request), may_run=rights.run, may_cancel=rights.cancel),
    }
    return render(request, "dashboard/run_page.html", context)
