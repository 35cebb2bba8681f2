"""Trees: list, new, one tree, and what can be done with it."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.contexts.calls import api_of, tree_calls
from dashboard.contexts.runs import may_run
from dashboard.contexts.tree_page import facts_of, lineage_strip, matrix, matrix_heads
from dashboard.forms import array_of, number_of
from dashboard.htmx import go
from dashboard.starters import starter_text, starters
from orchestration.builders.array import tree_from_array
from orchestration.builders.export import array_from_tree
from orchestration.domain.errors import Invalid, OrchestrationError, Problem
from orchestration.selectors import access, tree_history
from orchestration.selectors.lineage import links_with_newer_results
from orchestration.selectors.trees import active_run, outline
from orchestration.services import audit
from orchestration.services import runs as run_services
from orchestration.services import trees as tree_services

WINDOW = 200  # tasks of a page
NAMED = 12  # tasks that the question before a delete names


@require_http_methods(["GET", "POST"])
def tree_new(request: HttpRequest) -> HttpResponse:
    """A form for an array of tasks; a bad one comes back with its text and all problems."""
    access.require_create(request.user)
    text, problems = starter_text(request.GET.get("starter", "")), []
    if request.method == "POST":
        text = request.POST.get("array", "")
        try:
            text = array_of(request)
            tree = tree_from_array(owner=cast(User, request.user), raw=text)
        except Invalid as error:
            problems = error.problems
        except OrchestrationError as error:
            problems = [Problem(error.field, error.message, error.code)]
        else:
            return go(request, tree.get_absolute_url(), (gettext("“%(name)s” is ready to run.") % {"name": tree.name}))
    context = {"text": text, "problems": problems, "starters": starters()}
    return render(request, "dashboard/tree_new.html", context, status=400 if problems else 200)


@require_GET
def tree_detail(request: HttpRequest, tree_id: int) -> HttpResponse:
    """The definition and the last runs as one table, lineage, statistics, settings."""
    tree = access.tree_for_read(request.user, tree_id)
    found = outline(tree, number_of(request.GET.get("start")) or 0, WINDOW)
    runs = tree_history.matrix_runs(tree)
    ids = [task.id for task in found.tasks]
    links = set(tree.tasks.filter(pk__in=ids).exclude(linked_attempt=None).values_list("pk", flat=True))
    newer = links_with_newer_results(tree.pk) if links else set()
    original, derived = tree_history.relatives(request.user, tree)
    may_write = tree.owner_id == request.user.pk or request.user.is_superuser
    allowed = may_run(request.user, tree.pk)
    context = {
        "tree": tree,
        "rows": matrix(tree, found, runs, newer, links),
        "heads": matrix_heads(runs),
        "outline": found,
        "relatives": lineage_strip(tree, original, derived),
        "facts": facts_of(tree_history.statistics_of(tree)),
        "active": active_run(tree),
        "newest": runs[-1] if runs else None,
        "may_run": allowed,
        "calls": tree_calls(tree, api_of(request), may_run=allowed, may_write=may_write),
        "may_write": may_write,
        "may_create": request.user.has_perm("orchestration.add_tree"),
        "newer": len(newer),
        "labels": ", ".join(str(label) for label in tree.labels),
    }
    return render(request, "dashboard/tree_detail.html", context)


@require_GET
def tree_export(request: HttpRequest, tree_id: int) -> HttpResponse:
    """The tree as a JSON array, for keeping or importing elsewhere; `?state=1` adds states and results."""
    tree = access.tree_for_read(request.user, tree_id)
    state = request.GET.get("state") == "1"
    audit.act(actor=request.user, action="tree.export", target=f"tree:{tree.pk}", details={"state": state})
    array = array_from_tree(tree, state=state)
    response = JsonResponse(array, safe=False, json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="tree-{tree.pk}.json"'
    return response


@require_POST
def tree_run(request: HttpRequest, tree_id: int) -> HttpResponse:
    """Start a run of the whole tree and go to it."""
    run = run_services.run_start(user=request.user, tree_id=tree_id)
    return go(request, run.get_absolute_url())


@require_http_methods(["GET", "POST"])
def tree_delete(request: HttpRequest, tree_id: int) -> HttpResponse:
    """Ask, saying what goes; then delete."""
    tree = access.tree_for_write(request.user, tree_id)
    if request.method == "GET":
        context = {
            "tree": tree,
            "active": active_run(tree),
            "refs": tree_history.references(request.user, tree),
            "names": list(tree.tasks.order_by("position").values_list("name", flat=True)[:NAMED]),
            "more": max(0, tree.task_count - NAMED),
        }
        return render(request, "dashboard/tree_delete.html", context)
    name = tree.name
    tree_services.tree_delete(user=cast(User, request.user), tree_id=tree_id)
    return go(request, "/trees/", (gettext("“%(name)s” is deleted.") % {"name": name}))
