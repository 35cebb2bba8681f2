"""What comes in with a request: query strings as typed filters, posted fields as checked values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.http import HttpRequest

from dashboard.contexts.rows import FILTERS
from orchestration.domain.errors import OrchestrationError
from orchestration.domain.states import Status
from orchestration.selectors.run_query import RunFilter
from orchestration.selectors.run_rows import Window
from orchestration.selectors.trees import TreeFilter

MAX_SEARCH = 100
BIG = 2**31
MAX_HOURS = 24 * 366


def number_of(text: str | None) -> int | None:
    """A whole number from a query string; None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and int(text) < BIG else None


def window_of(query: Mapping[str, str]) -> Window:
    """The window of a run that the query string asks for, from position `start` or from the `row` of that number; what
    cannot be understood is left out."""
    state = query.get("state", "")
    row = number_of(query.get("row"))
    return Window(
        start=max(0, row - 1) if row else number_of(query.get("start")) or 0,
        state=state if state in FILTERS else "",
        search=search_of(query),
    )


def tree_filter_of(query: Mapping[str, str]) -> TreeFilter:
    """The filter of the list of trees that the query string asks for."""
    return TreeFilter(
        search=search_of(query),
        state=state_of(query, "never", "archived"),
        label=query.get("label", "")[:MAX_SEARCH],
        mine=query.get("mine") == "1",
        before=number_of(query.get("before")),
    )


def run_filter_of(query: Mapping[str, str], since: datetime | None = None) -> RunFilter:
    """The filter of the list of runs that the query string asks for."""
    return RunFilter(
        search=search_of(query),
        state=state_of(query),
        mine=query.get("mine") == "1",
        since=since,
        before=number_of(query.get("before")),
    )


def hours_of(query: Mapping[str, str]) -> int:
    """How many hours back the list of runs goes; 0 for all."""
    return min(number_of(query.get("hours")) or 0, MAX_HOURS)


def state_of(query: Mapping[str, str], *more: str) -> str:
    """The state of runs that is asked for, or "" for all."""
    state = query.get("state", "")
    known = {Status.IN_PROGRESS, Status.COMPLETED, Status.FAILED, Status.CANCELLED, *more}
    return state if state in known else ""


def search_of(query: Mapping[str, str]) -> str:
    """The text searched for, at most MAX_SEARCH characters."""
    return query.get("q", "").replace("\x00", "").strip()[:MAX_SEARCH]


def array_of(request: HttpRequest) -> str:
    """The tree array that was pasted or uploaded. Raises OrchestrationError for a file that is no UTF-8 text."""
    upload = request.FILES.get("file")
    if upload is None:
        return request.POST.get("array", "")
    try:
        text: str = upload.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OrchestrationError("this file is no UTF-8 text: save it as UTF-8 and try again", field="file") from None
    return text
