"""Try an executor: one task, one run."""

from __future__ import annotations

import json
from typing import cast

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from dashboard.contexts.tryout import fields_for, read_fields
from dashboard.htmx import go
from orchestration.builders.array import tree_from_array
from orchestration.domain.errors import Invalid, NotFound, OrchestrationError, Problem
from orchestration.executors.base import Executor
from orchestration.executors.registry import all_executors
from orchestration.models import Run
from orchestration.selectors import access
from orchestration.services.runs import run_start

LABEL = "try"


@require_http_methods(["GET", "POST"])
def tryout(request: HttpRequest, executor_id: str) -> HttpResponse:
    """A form of the executor's inputs; posted: a tree of one task that runs, and on to its run."""
    access.require_create(request.user)
    executor = _executor(executor_id)
    problems: list[Problem] = []
    if request.method == "POST":
        try:
            return go(request, _run(cast(User, request.user), executor, request).get_absolute_url())
        except Invalid as error:
            problems = error.problems
        except OrchestrationError as error:
            problems = [Problem(error.field, error.message, error.code)]
    posted = request.POST.dict() if request.method == "POST" else None
    context = {
        "executor": executor,
        "fields": fields_for(executor, posted),
        "posted": posted or {},
        "problems": problems,
        "schema": json.dumps(executor.input_schema, indent=2, ensure_ascii=False),
    }
    return render(request, "dashboard/tryout.html", context, status=400 if problems else 200)


def _executor(executor_id: str) -> Executor:
    for executor in all_executors():
        if executor.id == executor_id:
            return executor
    raise NotFound(f"no executor '{executor_id[:60]}'")


@transaction.atomic
def _run(user: User, executor: Executor, request: HttpRequest) -> Run:
    inputs, params, problems = read_fields(executor, {key: str(value) for key, value in request.POST.items()})
    if problems:
        raise Invalid(problems)
    one = {"name": f"try {executor.id}", "executor": executor.id, "inputs": inputs, "params": params}
    tree = tree_from_array(owner=user, data=[one], labels=[LABEL])
    return run_start(user=user, tree_id=tree.pk)
