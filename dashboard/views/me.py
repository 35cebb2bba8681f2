"""The profile: time zone, notifications, the tour."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.htmx import go
from orchestration.domain.errors import Invalid
from orchestration.selectors.doors import may_audit
from orchestration.selectors.saved import profile_of
from orchestration.services import saved as services


@require_http_methods(["GET", "POST"])
def me(request: HttpRequest) -> HttpResponse:
    """What a person sets for themselves; a bad time zone comes back with what is wrong."""
    problem = ""
    if request.method == "POST":
        try:
            services.profile_save(user=request.user, time_zone=request.POST.get("time_zone", ""))
        except Invalid as error:
            problem = error.problems[0].message
        else:
            return go(request, "/me", gettext("The profile is saved."))
    context = {
        "profile": profile_of(request.user),
        "zones": sorted(name for name in services.time_zones() if "/" in name or name == "UTC"),
        "server_zone": settings.TIME_ZONE,
        "problem": problem,
        "may_audit": may_audit(request.user),
    }
    return render(request, "dashboard/me.html", context, status=400 if problem else 200)


@require_POST
def tour(request: HttpRequest) -> HttpResponse:
    """Put the tour away, or back on the overview."""
    services.tour_end(user=request.user, done=request.POST.get("done", "1") == "1")
    return go(request, "/")
