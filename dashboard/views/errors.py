"""Pages for what went wrong, in the look of the others."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

TITLES = {
    400: "That cannot be done",
    403: "Not allowed",
    404: "Not found",
    409: "Not now",
    413: "Too large",
    500: "Something broke",
}


def error_page(request: HttpRequest, status: int, message: str, *, field: str = "") -> HttpResponse:
    """A page that says *message*."""
    context = {"status": status, "heading": TITLES.get(status, TITLES[400]), "message": message, "field": field}
    return render(request, "error.html", context, status=status)


@login_not_required
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 400, "the request could not be understood")


@login_not_required
def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 403, str(exception) or "you may not do this")


@login_not_required
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 404, "there is nothing here, or you may not see it")


@login_not_required
def server_error(request: HttpRequest) -> HttpResponse:
    return error_page(request, 500, "the server has logged what happened; nothing you did is lost")


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_page(request, 403, "this form is too old or came from another site: reload the page and try again")
