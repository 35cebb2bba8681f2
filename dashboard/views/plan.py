"""The plan of a run: see what would run and be reused, change inputs for this run, start it."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from dashboard.contexts.calls import api_of, start_call
from dashboard.contexts.plan import PAGE, Asked, plan_view
from dashboard.form_plan import asked_plan, posted_overrides
from dashboard.htmx import go
from orchestration.domain.errors import Conflict, Invalid, OrchestrationError
from orchestration.domain.rerun import Decision
from orchestration.domain.states import Mode, Status
from orchestration.models import Run, Task, Tree
from orchestration.selectors import access
from orchestration.selectors.trees import active_run
from orchestration.services import runs as run_services


@require_http_methods(["GET", "POST"])
def run_rerun(request: HttpRequest, run_id: int) -> HttpResponse:
    """The plan of a new run of the same tree, prefilled with what *run_id* had changed; POST starts it."""
    run = access.run_for_run(request.user, run_id)
    return _plan(request, run.tree, run)


@require_http_methods(["GET", "POST"])
def tree_start(request: HttpRequest, tree_id: int) -> HttpResponse:
    """The plan of a run of the tree; POST starts it."""
    return _plan(request, access.tree_for_run(request.user, tree_id), None)


def _plan(request: HttpRequest, tree: Tree, run: Run | None) -> HttpResponse:
    if request.method == "POST":
        return _start(request, tree, run)
    return _page(request, tree, run, asked_plan(request.GET, default=_default(tree)))


def _default(tree: Tree) -> str:
    """What did not complete, if there is such a thing, else everything."""
    if not tree.run_count or tree.tasks.exclude(status=Status.COMPLETED).count() in {0, tree.task_count}:
        return Mode.ALL
    return Mode.FAILED


def _start(request: HttpRequest, tree: Tree, run: Run | None) -> HttpResponse:
    given = request.POST.get("mode", Mode.FAILED.value)
    if given not in set(Mode):
        raise OrchestrationError(f"mode must be one of {', '.join(Mode)}", field="mode")
    asked = asked_plan(request.POST, default=Mode.FAILED)
    named = [UUID(key[7:]) for key in request.POST if key.startswith("inputs-") and _is_hex(key[7:])]
    tasks = {task.pk.hex: task for task in Task.objects.filter(tree=tree, pk__in=named)}
    overrides, texts, problems = posted_overrides(request, tasks)
    asked = replace(asked, texts=texts, problems=problems)
    if problems:
        return _page(request, tree, run, asked, status=400)
    try:
        started = run_services.run_start(
            user=request.user, tree_id=tree.pk, mode=asked.mode, chosen=_chosen(asked), overrides=overrides
        )
    except Invalid as error:
        asked = replace(asked, problems={"": [problem.message for problem in error.problems]})
        return _page(request, tree, run, asked, status=400)
    return go(request, started.get_absolute_url())


def _is_hex(text: str) -> bool:
    return len(text) == 32 and all(c in "0123456789abcdef" for c in text)


def _chosen(asked: Asked) -> list[str]:
    return list(asked.chosen) if asked.mode in {Mode.FROM, Mode.ONLY} else []


def _page(request: HttpRequest, tree: Tree, run: Run | None, asked: Asked, status: int = 200) -> HttpResponse:
    decisions: dict[str, Decision] = {}
    refusal = _refusal(tree)
    try:
        decisions = run_services.run_preview(user=request.user, tree_id=tree.pk, mode=asked.mode, chosen=_chosen(asked))
    except (Invalid, Conflict) as error:
        refusal = refusal or _gentle(asked, error)
    tasks, found = _tasks(tree, asked, decisions)
    view = plan_view(tree, asked, decisions, tasks, refusal=refusal, run=run, found=found)
    context = {"view": view, "tree": tree, "run": run, "active": active_run(tree)}
    context["calls"] = () if refusal else (start_call(tree, asked.mode, _chosen(asked), api_of(request)),)
    return render(request, "dashboard/plan.html", context, status=status)


def _gentle(asked: Asked, error: OrchestrationError) -> str:
    if asked.mode in {Mode.FROM, Mode.ONLY} and not asked.chosen:
        return gettext("Choose at least one task below, then show the plan.")
    if isinstance(error, Invalid):
        return "; ".join(problem.message for problem in error.problems)
    return error.message[:1].upper() + error.message[1:] + "."


def _refusal(tree: Tree) -> str:
    if tree.archived_at is not None:
        return gettext("An archive is frozen: copy it and run the copy.")
    active = active_run(tree)
    return (
        (gettext("Run %(number)s is active: cancel it or wait for its end.") % {"number": active.number})
        if active
        else ""
    )


def _tasks(tree: Tree, asked: Asked, decisions: dict[str, Decision]) -> tuple[list[Task], int]:
    """(the tasks of the page, how many match)."""
    tasks: QuerySet[Task] = Task.objects.filter(tree=tree).select_related("run").order_by("position")
    if asked.texts or asked.problems.keys() - {""}:
        return list(tasks.filter(pk__in=[UUID(t) for t in {*asked.texts, *asked.problems} if t])), 0
    if asked.search:
        tasks = tasks.filter(name__icontains=asked.search)
    if asked.only_runs:
        running = {task_id for task_id, decision in decisions.items() if decision.runs}
        ids = [pk for pk in tasks.values_list("pk", flat=True) if pk.hex in running]
        return list(tasks.filter(pk__in=ids[asked.start : asked.start + PAGE])), len(ids)
    return list(tasks[asked.start : asked.start + PAGE]), tasks.count() if asked.search else tree.task_count
