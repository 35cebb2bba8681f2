"""Filters that a person keeps."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from dashboard.htmx import go, is_htmx
from orchestration.domain.operations import Kind
from orchestration.selectors.saved import filters_of
from orchestration.services import saved as services

BASE = {Kind.TREES: "/trees/", Kind.RUNS: "/runs/"}


@dataclass(frozen=True, slots=True)
class SavedLine:
    """A kept filter in its menu."""

    id: int
    name: str
    url: str
    here: bool
    is_default: bool


def saved_lines(request: HttpRequest, kind: Kind) -> list[SavedLine]:
    """The filters of the list that *request* shows."""
    return [
        SavedLine(f.pk, f.name, _url(f.page, f.query), f.query == request.GET.urlencode(), f.is_default)
        for f in filters_of(request.user, kind)
    ]


def default_filter(request: HttpRequest, kind: Kind) -> HttpResponse | None:
    """On to the filter that the user opens this list with, if the address asks for none."""
    if request.GET or is_htmx(request):
        return None
    chosen = [f for f in filters_of(request.user, kind) if f.is_default and f.query]
    return HttpResponseRedirect(_url(kind, chosen[0].query)) if chosen else None


@require_POST
def filter_save(request: HttpRequest, kind: str) -> HttpResponse:
    """Keep the filter that the list shows."""
    posted = request.POST
    kept = services.filter_save(
        user=request.user,
        page=kind,
        name=posted.get("name", ""),
        query=posted.get("query", ""),
        default=posted.get("default") == "1",
    )
    return go(request, _url(kept.page, kept.query), (gettext("The filter “%(name)s” is kept.") % {"name": kept.name}))


@require_POST
def filter_default(request: HttpRequest, filter_id: int) -> HttpResponse:
    """Open the list with this filter from now on, or no longer."""
    kept = services.filter_default(user=request.user, filter_id=filter_id)
    told = gettext("The list opens with") if kept.is_default else gettext("The list no longer opens with")
    return go(request, _url(kept.page, kept.query), f"{told} “{kept.name}”.")


@require_POST
def filter_delete(request: HttpRequest, filter_id: int) -> HttpResponse:
    """Forget a filter."""
    kept = services.filter_delete(user=request.user, filter_id=filter_id)
    return go(request, _url(kept.page, ""), (gettext("The filter “%(name)s” is forgotten.") % {"name": kept.name}))


def _url(page: str, query: str) -> str:
    return f"{BASE[Kind(page)]}?{query or 'all=1'}"
