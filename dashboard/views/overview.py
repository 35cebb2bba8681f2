"""The first page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from dashboard.contexts.overview import overview_view
from dashboard.contexts.tour import tour_steps
from dashboard.htmx import fragment, is_htmx
from dashboard.live import render as text_of
from orchestration.selectors.overview import overview as read_overview
from orchestration.selectors.saved import profile_of


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """What needs attention, what runs, what is recent; htmx gets the inside of it."""
    now = timezone.now()
    view = overview_view(read_overview(request.user, now), now)
    if is_htmx(request):
        return fragment(text_of("dashboard/overview_live.html", view=view))
    steps = () if profile_of(request.user).tour_done else tour_steps(request.user)
    return render(request, "dashboard/overview.html", {"view": view, "steps": steps})
