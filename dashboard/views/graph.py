"""The graph of a run and of a tree's definition."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET

from dashboard.contexts.common import query_of
from dashboard.contexts.graph import graph_view
from dashboard.contexts.graph_nav import graph_nav, query_text
from dashboard.contexts.graph_plan import GraphQuery, definition_looks, plan_of
from dashboard.contexts.runs import rights_on, run_actions, run_head
from dashboard.forms import search_of
from dashboard.graph_live import query_from, run_graph, snapshot
from dashboard.htmx import fragment, is_htmx
from orchestration.domain.errors import NotFound
from orchestration.models import Task
from orchestration.selectors import access
from orchestration.selectors.graph import graph_edges, graph_tasks


@require_GET
def run_graph_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """The graph of a run; htmx gets its live parts. `q` goes to the neighbourhood of the first task of that name."""
    run = access.run_for_read(request.user, run_id)
    base = f"{run.get_absolute_url()}/graph"
    if search_of(request.GET):
        return _to_neighbourhood(base, run.tree_id, search_of(request.GET))
    query = query_from(request.GET)
    _check(run.tree_id, query)
    rights = rights_on(request.user, run.tree_id)
    if is_htmx(request):
        return fragment(snapshot(run.pk, query, request.GET.get("sig", ""), rights=rights).html)
    plan, view, _ = run_graph(run, query)
    own = query_text(query)
    context = {
        "head": run_head(run),
        "actions": run_actions(run, rights=rights),
        "graph": view,
        "nav": graph_nav(base, query, view, run.tree_id),
        "socket_url": f"/ws/runs/{run.pk}/graph/?{own}&sig={plan.signature}",
        "page_url": f"{base}?{own}&sig={plan.signature}",
    }
    return render(request, "dashboard/graph_run.html", context)


@require_GET
def tree_graph_page(request: HttpRequest, tree_id: int) -> HttpResponse:
    """The graph of a tree's definition."""
    tree = access.tree_for_read(request.user, tree_id)
    base = f"{tree.get_absolute_url()}/graph"
    if search_of(request.GET):
        return _to_neighbourhood(base, tree.pk, search_of(request.GET))
    query = query_from(request.GET)
    _check(tree.pk, query)
    tasks = graph_tasks(tree.pk, None)
    plan = plan_of(tasks, graph_edges(tree), query)
    view = graph_view(plan, tasks, definition_looks(plan, tasks), query, base, None)
    context = {"tree": tree, "graph": view, "nav": graph_nav(base, query, view, tree.pk)}
    return render(request, "dashboard/graph_tree.html", context)


def _check(tree_id: int, query: GraphQuery) -> None:
    for asked in filter(None, (query.around, query.inside)):
        if not Task.objects.filter(pk=asked, tree_id=tree_id).exists():
            raise NotFound(f"no task {asked} in this tree")


def _to_neighbourhood(base: str, tree_id: int, text: str) -> HttpResponse:
    tasks = Task.objects.filter(tree_id=tree_id).order_by("position")
    found = tasks.filter(name=text).first() or tasks.filter(name__icontains=text).first()
    if found is None:
        raise NotFound(f"no task is called “{text}”: try a part of its name")
    return HttpResponseRedirect(f"{base}?{query_of(around=found.pk)}")
