"""The forecast of a run."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from dashboard.contexts.forecast import forecast_view, mode_choices, plan_url
from dashboard.contexts.runs import may_run
from dashboard.form_plan import asked_plan
from orchestration.domain.errors import Conflict, Invalid
from orchestration.domain.states import Mode
from orchestration.selectors import access
from orchestration.selectors.explain import dry_run_of


@require_GET
def tree_dry_run(request: HttpRequest, tree_id: int) -> HttpResponse:
    """Order, waves, critical path and expected duration of a run; `?mode=` and `?task=` as for the plan."""
    tree = access.tree_for_read(request.user, tree_id)
    asked = asked_plan(request.GET, default=Mode.ALL)
    chosen = list(asked.chosen) if asked.mode in {Mode.FROM, Mode.ONLY} else []
    view, refusal = None, ""
    try:
        view = forecast_view(dry_run_of(request.user, tree.pk, asked.mode, chosen))
    except (Invalid, Conflict) as error:
        refusal = error.message
    context = {
        "tree": tree,
        "view": view,
        "refusal": refusal,
        "modes": mode_choices(tree, asked.mode, chosen),
        "plan_url": plan_url(tree, asked.mode, chosen) if may_run(request.user, tree.pk) else "",
        "chosen": chosen,
    }
    return render(request, "dashboard/dry_run.html", context)
