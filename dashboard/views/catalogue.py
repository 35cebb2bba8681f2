"""Executors, workers and the queue."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard.contexts.overview import waiting_line
from orchestration.selectors.overview import queue as read_queue
from orchestration.selectors.overview import slots


@require_GET
def queue(request: HttpRequest) -> HttpResponse:
    """What runs next, in order."""
    lines = [waiting_line(task, place + 1) for place, task in enumerate(read_queue(request.user))]
    return render(request, "dashboard/queue.html", {"lines": lines, "slots": slots(timezone.now())})
