"""The few things htmx needs from a view."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.cache import patch_vary_headers

from dashboard.live import partial, render


def is_htmx(request: HttpRequest) -> bool:
    """Whether a fragment is wanted instead of a page."""
    return request.headers.get("HX-Request") == "true"


def go(request: HttpRequest, url: str, message: str = "") -> HttpResponse:
    """On to *url*, where *message* is shown: a redirect for a plain form, its htmx form for htmx."""
    if message:
        messages.success(request, message)
    if is_htmx(request):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def fragment(html: str) -> HttpResponse:
    """Partials for htmx. The same URL gives a page to others, so caches must tell them apart."""
    response = HttpResponse(html)
    patch_vary_headers(response, ["HX-Request"])
    return response


def notice(text: str, tone: str = "success") -> str:
    """A message at the top of the page, as a partial."""
    return partial("#notice", render("parts/notice.html", text=text, tone=tone), swap="innerHTML")
