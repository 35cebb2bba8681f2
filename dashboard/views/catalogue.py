"""Executors, workers and the queue."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard.contexts.overview import waiting_line, worker_line
from orchestration.executors.registry import all_executors
from orchestration.selectors.overview import queue as read_queue
from orchestration.selectors.overview import slots, worker_load
from orchestration.selectors.overview import workers as read_workers


@require_GET
def executors(request: HttpRequest) -> HttpResponse:
    """Everything that a task can run."""
    known = [
        {"executor": executor, "schema": json.dumps(executor.input_schema, indent=2, ensure_ascii=False)}
        for executor in all_executors()
    ]
    return render(request, "dashboard/executors.html", {"known": known})


@require_GET
def workers(request: HttpRequest) -> HttpResponse:
    """The processes that run tasks."""
    now, load = timezone.now(), worker_load()
    lines = [worker_line(worker, now, load.get(worker.pk, 0)) for worker in read_workers(now)]
    return render(request, "dashboard/workers.html", {"lines": lines})


@require_GET
def queue(request: HttpRequest) -> HttpResponse:
    """What runs next, in order."""
    lines = [waiting_line(task, place + 1) for place, task in enumerate(read_queue(request.user))]
    return render(request, "dashboard/queue.html", {"lines": lines, "slots": slots(timezone.now())})
