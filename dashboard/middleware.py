"""What holds for every request: size, caching, and refusals that become pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from dashboard.views.errors import error_page
from orchestration.domain.doors import door_of
from orchestration.domain.errors import Forbidden, NotFound, OrchestrationError
from orchestration.services import audit, throttle

Handler = Callable[[HttpRequest], HttpResponse]
MIB = 1024 * 1024
LIMITED = ("page", "admin")


class BodyLimitMiddleware:
    """Answers 413 to bodies over MAX_BODY_BYTES, whether their length is announced or not.

    Our own server reads no more than that, and tells of a length over the limit (orchestration/engine/bounds.py).
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _length(request) > settings.MAX_BODY_BYTES:
            text = gettext("request larger than %(value)s MiB") % {"value": settings.MAX_BODY_BYTES // MIB}
            return error_page(request, 413, text, code="body_too_large")
        return self.get_response(request)


class NoStoreMiddleware:
    """Keeps pages of signed-in people out of every cache."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        user = getattr(request, "user", None)
        if user is not None and user.is_authenticated and "Cache-Control" not in response:
            response["Cache-Control"] = "no-store"
        return response


class RefusalMiddleware:
    """Turns an OrchestrationError of a view into a page, or a notice for htmx, with its status.

    Effects: refusals of rights go into the audit log, also about what does not exist: else the time would tell it.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        """Pages count as the API does: whoever writes too often is asked to wait."""
        if request.method != "POST" or not request.user.is_authenticated or door_of(request.path) not in LIMITED:
            return None
        try:
            throttle.write_allowed(request.user)
        except throttle.TooMany as error:
            return self.process_exception(request, error)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, OrchestrationError) or request.path.startswith("/api/"):
            return None
        if isinstance(exception, Forbidden | NotFound):
            audit.refused(user=request.user, target=f"{request.method} {request.path}", code=exception.code)
        page = error_page(request, exception.status, exception.message, field=exception.field, code=exception.code)
        if hasattr(exception, "retry_after_s"):
            page["Retry-After"] = str(exception.retry_after_s)
        return page


def _length(request: HttpRequest) -> int:
    announced = request.META.get("CONTENT_LENGTH") or ""
    if announced.isdigit():
        return int(announced)
    body = getattr(request, "_stream", None)  # chunked, from another server: spooled to a file already
    if body is None or not getattr(body, "seekable", lambda: False)():
        return 0
    size: int = body.seek(0, 2)
    body.seek(0)
    return size
