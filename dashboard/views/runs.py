"""Runs: list, the run page, cancel and re-run."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from dashboard import live
from dashboard.contexts.rows import rows_view
from dashboard.contexts.runs import may_run, run_actions, run_head
from dashboard.forms import window_of
from dashboard.htmx import fragment, go, is_htmx, notice
from orchestration.domain.errors import OrchestrationError
from orchestration.domain.states import Mode
from orchestration.selectors import access
from orchestration.selectors.run_rows import run_rows
from orchestration.services import runs as run_services

RERUN_MODES = {Mode.ALL.value, Mode.FAILED.value}


@require_GET
def run_detail(request: HttpRequest, run_id: int) -> HttpResponse:
    """The run page; htmx gets its live parts."""
    run = access.run_for_read(request.user, run_id)
    window = window_of(request.GET)
    allowed = may_run(request.user, run.tree_id)
    if is_htmx(request):
        return fragment(live.snapshot(run.pk, window, allowed=allowed).html)
    context = {
        "view": rows_view(run, window, run_rows(run, window)),
        "head": run_head(run),
        "actions": run_actions(run, allowed=allowed),
    }
    return render(request, "dashboard/run_page.html", context)


@require_POST
def run_cancel(request: HttpRequest, run_id: int) -> HttpResponse:
    """Cancel everything of the run that has not ended."""
    run = run_services.run_cancel(user=request.user, run_id=run_id, reason=request.POST.get("reason", ""))
    if is_htmx(request):
        fresh = live.load_run(run.pk)
        parts = [live.head_html(fresh), live.actions_html(fresh, allowed=True), notice("The run is being cancelled.")]
        return fragment("".join(parts))
    return go(request, run.get_absolute_url(), "The run is being cancelled.")


@require_POST
def run_rerun(request: HttpRequest, run_id: int) -> HttpResponse:
    """Start a new run of the same tree, of everything or of what did not complete."""
    run = access.run_for_run(request.user, run_id)
    mode = request.POST.get("mode", Mode.FAILED.value)
    if mode not in RERUN_MODES:
        raise OrchestrationError("mode must be 'all' or 'failed'", field="mode")
    again = run_services.run_start(user=request.user, tree_id=run.tree_id, mode=mode)
    return go(request, again.get_absolute_url())
