"""The lists: trees, runs, executors, workers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard.contexts import lists
from dashboard.contexts.bulk import actions_for
from dashboard.contexts.calls import Call, api_of, list_calls
from dashboard.contexts.overview import worker_line
from dashboard.forms import hours_of, run_filter_of, search_of, tree_filter_of
from dashboard.htmx import fragment, is_htmx
from dashboard.live import render as text_of
from dashboard.views.saved import default_filter, saved_lines
from orchestration.domain.operations import Kind
from orchestration.executors.registry import all_executors
from orchestration.selectors.overview import worker_load
from orchestration.selectors.overview import workers as read_workers
from orchestration.selectors.runs import PAGE as RUNS
from orchestration.selectors.runs import run_list
from orchestration.selectors.trees import PAGE as TREES
from orchestration.selectors.trees import last_runs, tree_page, trees_matching


@require_GET
def tree_index(request: HttpRequest) -> HttpResponse:
    """The trees that the user may see, with their last runs; htmx gets the rows. Without a filter: the user's own."""
    if answer := default_filter(request, Kind.TREES):
        return answer
    wanted, now = tree_filter_of(request.GET), timezone.now()
    trees = tree_page(request.user, wanted)
    count = lists.count_of(trees, TREES, wanted.before, trees_matching(request.user, wanted))
    view = lists.tree_list(trees, last_runs([tree.pk for tree in trees]), wanted, count, now)
    if is_htmx(request):
        return fragment(text_of("dashboard/tree_rows.html", view=view))
    context = {"view": view, "saved": saved_lines(request, Kind.TREES), "actions": actions_for(Kind.TREES)}
    context["calls"] = _calls(request, Kind.TREES, view.values)
    return render(request, "dashboard/tree_list.html", context)


@require_GET
def run_index(request: HttpRequest) -> HttpResponse:
    """The runs that the user may see, newest first; htmx gets the rows. Without a filter: the user's own."""
    if answer := default_filter(request, Kind.RUNS):
        return answer
    now, hours = timezone.now(), hours_of(request.GET)
    wanted = run_filter_of(request.GET, now - timedelta(hours=hours) if hours else None)
    runs, query = run_list(request.user, wanted)
    count = lists.count_of(runs, RUNS, wanted.before, query.runs)
    view = lists.run_list(runs, wanted, hours, count, now)
    if is_htmx(request):
        return fragment(text_of("dashboard/run_list_rows.html", view=view))
    context = {"view": view, "saved": saved_lines(request, Kind.RUNS), "actions": actions_for(Kind.RUNS)}
    context["calls"] = _calls(request, Kind.RUNS, view.values)
    return render(request, "dashboard/run_list.html", context)


def _calls(request: HttpRequest, kind: Kind, values: Mapping[str, str]) -> tuple[Call, ...]:
    return list_calls(kind, values, request.user.get_username(), api_of(request))


@require_GET
def executors(request: HttpRequest) -> HttpResponse:
    """Everything that a task can run, or what of it the search finds."""
    search = search_of(request.GET)
    every = all_executors()
    found = [e for e in every if search.lower() in f"{e.id} {e.name} {e.description} {' '.join(e.aliases)}".lower()]
    known = [{"executor": e, "schema": json.dumps(e.input_schema, indent=2, ensure_ascii=False)} for e in found]
    count = lists.count_words(len(found), "executor")
    return render(request, "dashboard/executors.html", {"known": known, "search": search, "count_words": count})


@require_GET
def workers(request: HttpRequest) -> HttpResponse:
    """The processes that run tasks, those that are gone only when asked for; htmx gets the rows."""
    now, load, every = timezone.now(), worker_load(), request.GET.get("all") == "1"
    lines = [worker_line(worker, now, load.get(worker.pk, 0)) for worker in read_workers(now, only_alive=not every)]
    context = {"lines": lines, "every": every, "ever": bool(lines) or bool(read_workers(now))}
    if is_htmx(request):
        return fragment(text_of("dashboard/workers_rows.html", **context))
    return render(request, "dashboard/workers.html", context)
