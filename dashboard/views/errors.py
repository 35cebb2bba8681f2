"""Pages for what went wrong, in the look of the others."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from orchestration.domain.doors import PROGRAMS, RPC, door_of
from orchestration.rpc.codes import INTERNAL, INVALID_REQUEST
from orchestration.rpc.envelope import failed
from orchestration.services import audit

TITLES = {
    400: "That cannot be done",
    403: "Not allowed",
    404: "Not found",
    409: "Not now",
    413: "Too large",
    500: "Something broke",
}
CODES = {400: "invalid", 403: "forbidden", 404: "not_found", 413: "body_too_large"}


def error_page(request: HttpRequest, status: int, message: str, *, field: str = "", code: str = "") -> HttpResponse:
    """A page that says *message*; at the doors for programs the same as JSON, in the shape of their errors."""
    door = door_of(request.path)
    if door in PROGRAMS:
        code = code or CODES.get(status, "internal_error")
        shaped = _rpc(message, field, code) if door == RPC else _plain(message, field, code)
        return JsonResponse(shaped, status=status)
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
    return error_page(request, 400, "the request could not be understood")


@login_not_required
def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    _note(request, "forbidden")
    return error_page(request, 403, str(exception) or "you may not do this")


@login_not_required
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 404, "there is nothing here, or you may not see it")


@login_not_required
def server_error(request: HttpRequest) -> HttpResponse:
    return error_page(request, 500, "the server has logged what happened; nothing you did is lost")


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    _note(request, "csrf")
    return error_page(request, 403, "this form is too old or came from another site: reload the page and try again")
