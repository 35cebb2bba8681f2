"""Times in the zone of the one who looks."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from orchestration.selectors.saved import profile_of

Handler = Callable[[HttpRequest], HttpResponse]


class TimeZoneMiddleware:
    """Shows the times of a page in the zone of the profile."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(_zone(request)):
            return self.get_response(request)


def _zone(request: HttpRequest) -> ZoneInfo | None:
    if request.path.startswith("/api/") or not request.user.is_authenticated:
        return None
    name = profile_of(request.user).time_zone
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):  # it was in the list of an older system
        return None
