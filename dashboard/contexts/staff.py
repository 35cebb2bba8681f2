"""What every page of somebody else's tree says to staff."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from orchestration.selectors.access import seen_as_staff


def staff_sees(request: HttpRequest) -> dict[str, Any]:
    """The trees of others on this page, for the banner."""
    return {"staff_sees": seen_as_staff()}
