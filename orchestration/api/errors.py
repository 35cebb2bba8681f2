"""Every refusal in one shape: {"error": {"code", "message", "field"}}, with "problems" where there are several."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from orchestration.away import advice, is_away
from orchestration.domain.errors import Forbidden, Invalid, NotFound, OrchestrationError
from orchestration.services import audit, throttle

logger = logging.getLogger("apflow.api")
MAX_PROBLEMS = 100
BUSY_S = 1
CODES: dict[type[exceptions.APIException], str] = {
    exceptions.NotAuthenticated: "not_authenticated",
    exceptions.AuthenticationFailed: "invalid_token",
    exceptions.PermissionDenied: "forbidden",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.ParseError: "invalid_json",
    exceptions.NotFound: "not_found",
}


class PreconditionFailed(OrchestrationError):
    """Somebody has changed this meanwhile: reload, then change it again."""

    code = "precondition_failed"
    status = 412


def error_response(exception: Exception, context: dict[str, Any]) -> Response:
    """The answer for *exception*. Effects: rolls back; refusals of rights go into the audit log."""
    set_rollback()
    if isinstance(exception, OrchestrationError):
        if isinstance(exception, Forbidden | NotFound):
            _note(exception, context)
        return _of_domain(exception)
    if isinstance(exception, Http404):
        return answer(404, "not_found", "there is nothing here")
    if isinstance(exception, PermissionDenied):
        return answer(403, "forbidden", "you may not do this")
    if isinstance(exception, exceptions.APIException):
        return _of_framework(exception, context)
    return _of_accident(exception)


def answer(status: int, code: str, message: str, field: str = "", **more: Any) -> Response:
    """The one shape of errors."""
    return Response({"error": {"code": code, "message": message, "field": field}, **more}, status=status)


def _of_domain(error: OrchestrationError) -> Response:
    status = 413 if error.code == "body_too_large" else error.status
    more = {}
    if isinstance(error, Invalid):
        listed = error.problems[:MAX_PROBLEMS]
        more["problems"] = [{"path": p.path, "message": p.message, "code": p.code} for p in listed]
    response = answer(status, error.code, error.message, error.field, **more)
    if isinstance(error, throttle.TooMany):
        response["Retry-After"] = str(error.retry_after_s)
    return response


def _of_framework(error: exceptions.APIException, context: dict[str, Any]) -> Response:
    code = next((code for kind, code in CODES.items() if isinstance(error, kind)), "invalid")
    say: dict[str, Callable[[], str]] = {
        "not_authenticated": lambda: "sign in first, or send Authorization: Bearer <token>",
        "method_not_allowed": lambda: f"use {' or '.join(_methods(context))}",
        "not_acceptable": lambda: "this API answers application/json only",
        "unsupported_media_type": lambda: "send application/json",
    }
    message = say[code]() if code in say else str(error.detail)
    response = answer(error.status_code, code, message)
    if getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    return response


def _methods(context: dict[str, Any]) -> list[str]:
    return [method for method in context["view"].allowed_methods if method not in ("OPTIONS", "HEAD")]


def _of_accident(exception: Exception) -> Response:
    """Nobody outside learns more than a number to ask about."""
    if is_away(exception):
        logger.warning("database busy or away: %s", type(exception).__name__)
        response = answer(503, "unavailable", advice(exception))
        response["Retry-After"] = str(BUSY_S)
        return response
    number = uuid.uuid4().hex[:12]
    logger.error("error %s", number, exc_info=exception)
    return answer(500, "internal_error", f"something broke; the server's log has it under {number}", error_id=number)


def _note(error: OrchestrationError, context: dict[str, Any]) -> None:
    """A line for whoever tries doors. Also for what does not exist: else the time would tell it from what does."""
    request = context["request"]
    user = request._request.user  # not request.user: that would authenticate, and be refused, again
    if user.is_authenticated:
        target = f"{request.method} {request.path}"
        audit.record(
            actor=user,
            action="refused",
            target=target,
            details={"code": error.code},
            ip=throttle.client_address(request),
        )
