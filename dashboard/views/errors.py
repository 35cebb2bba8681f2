"""Pages for what went wrong, in the look of the others."""

from __future__ import annotations

import sys
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.exceptions import SessionInterrupted
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext, gettext_lazy

from dashboard.htmx import fragment, is_htmx, notice
from orchestration.away import is_away, is_read_only
from orchestration.domain.doors import PROGRAMS, RPC, door_of
from orchestration.rpc.codes import INTERNAL, INVALID_REQUEST
from orchestration.rpc.envelope import failed
from orchestration.services import audit

TITLES = {
    400: gettext_lazy("That cannot be done"),
    403: gettext_lazy("Not allowed"),
    404: gettext_lazy("Not found"),
    409: gettext_lazy("Not now"),
    413: gettext_lazy("Too large"),
    500: gettext_lazy("Something broke"),
    503: gettext_lazy("The database does not answer"),
}
CODES = {400: "invalid", 403: "forbidden", 404: "not_found", 413: "body_too_large", 503: "unavailable"}
AGAIN_S = 5


def error_page(request: HttpRequest, status: int, message: str, *, field: str = "", code: str = "") -> HttpResponse:
    """A page that says *message*; for htmx a notice, so that what it was to replace stays as it is; at the doors for
    programs the same as JSON, in the shape of their errors."""
    door = door_of(request.path)
    if door in PROGRAMS:
        code = code or CODES.get(status, "internal_error")
        shaped = _rpc(message, field, code) if door == RPC else _plain(message, field, code)
        return JsonResponse(shaped, status=status)
    if is_htmx(request):
        told = fragment(notice(message, "error"))
        told.status_code = status
        return told
    context = {"status": status, "heading": TITLES.get(status, TITLES[400]), "message": message, "field": field}
    return render(request, "error.html", context, status=status)


def _plain(message: str, field: str, code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "field": field}}


def _rpc(message: str, field: str, code: str) -> dict[str, Any]:
    data = {"reason": message, "code": code} | ({"field": field} if field else {})
    number = INTERNAL if code == "internal_error" else INVALID_REQUEST
    return failed(None, {"code": number, "message": message, "data": data})


def _note(request: HttpRequest, code: str) -> None:
    audit.refused(user=getattr(request, "user", None), target=f"{request.method} {request.path}", code=code)


@login_not_required
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400; 503 when it was the session that could not be stored: Django calls that a bad request."""
    if isinstance(exception, SessionInterrupted) and (trouble := _came_of(exception)):
        return _database_away(request, trouble)
    return error_page(request, 400, gettext("the request could not be understood"))


@login_not_required
def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    _note(request, "forbidden")
    return error_page(request, 403, str(exception) or gettext("you may not do this"))


@login_not_required
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 404, gettext("there is nothing here, or you may not see it"))


def _came_of(error: BaseException | None) -> BaseException | None:
    """What says that the database is away: *error*, or what was being handled then. None: nothing."""
    while error is not None and not is_away(error):
        error = error.__context__
    return error


def _database_away(request: HttpRequest, trouble: BaseException) -> HttpResponse:
    """503. Not even who asks can be read, so the page has no navigation; what was sent is not sent again."""
    _ask_nothing_more(request)
    heading, message, shown = _said_of(trouble)
    if door_of(request.path) in PROGRAMS or is_htmx(request):
        answer = error_page(request, 503, message)
    else:
        reading = request.method in ("GET", "HEAD")
        context = {
            "status": 503,
            "heading": heading,
            "message": shown,
            "again_s": AGAIN_S if reading else 0,
            "address": request.get_full_path() if reading else "/",
            "request": request,  # for the theme; without the context processors, which would ask who this is
        }
        answer = HttpResponse(render_to_string("unavailable.html", context), status=503)
    answer["Retry-After"] = str(AGAIN_S)
    return answer


def _said_of(trouble: BaseException) -> tuple[str, str, str]:
    """Heading of a page, a text that stands alone, and one below the heading."""
    if is_read_only(trouble):
        remedy = gettext("nothing can be stored until it is made writable again; nothing is lost")
        alone = gettext("the database is read-only: nothing can be stored until it is made writable again")
        return gettext("The database is read-only"), alone, remedy
    alone = gettext("the database does not answer: it is busy or restarting. Nothing is lost: try again in a moment")
    return str(TITLES[503]), alone, gettext("it is busy or restarting; nothing is lost")


def _ask_nothing_more(request: HttpRequest) -> None:
    """Else the layers around us would wait for the database anew: who asked, and until when are they signed in?"""
    request.user = AnonymousUser()
    if hasattr(request, "session"):
        del request.session


@login_not_required
def server_error(request: HttpRequest) -> HttpResponse:
    """500; 503 while the database is away. Django calls it while the error is being handled."""
    trouble = sys.exception()
    if trouble is not None and is_away(trouble):
        return _database_away(request, trouble)
    return error_page(request, 500, gettext("the server has logged what happened; nothing you did is lost"))


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    _note(request, "csrf")
    return error_page(
        request, 403, gettext("this form is too old or came from another site: reload the page and try again")
    )
