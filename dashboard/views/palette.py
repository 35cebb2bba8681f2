"""The palette: go anywhere by a few letters. A page of its own without JavaScript."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from dashboard.contexts.palette import palette as found_for
from dashboard.forms import search_of
from dashboard.htmx import fragment, is_htmx
from dashboard.live import render as text_of


@require_GET
def palette(request: HttpRequest) -> HttpResponse:
    """What fits the letters; htmx gets the list only."""
    text = search_of(request.GET)
    groups = found_for(request.user, text)
    if is_htmx(request):
        return fragment(text_of("dashboard/palette_found.html", groups=groups, search=text))
    return render(request, "dashboard/palette.html", {"groups": groups, "search": text})
