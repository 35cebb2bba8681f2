"""Tells the audit log from where a request comes."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from apflow_site.logs import request_id
from orchestration.domain.doors import door_of
from orchestration.selectors import access
from orchestration.services import audit, throttle

Handler = Callable[[HttpRequest], HttpResponse]


class AuditMiddleware:
    """Whatever is written down while a request is answered carries its address, id and door.

    Effects: entries about what staff has opened of others.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        origin = audit.Origin(throttle.client_address(request), request_id(), door_of(request.path))
        with audit.during(origin):
            with access.watching() as seen:
                response = self.get_response(request)
            audit.staff_views(seen.values())
        return response
