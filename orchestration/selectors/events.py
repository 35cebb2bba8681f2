"""Reads of a run's events, as programs get them: the sockets, the event stream and the Python API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from orchestration.domain.errors import NotFound
from orchestration.domain.states import Status
from orchestration.models import Event, Run

PAGE = 100  # events read and sent at a time
IDS_IN_DATA = ("blocked_by",)


@dataclass(frozen=True, slots=True)
class EventPage:
    """A stretch of a run's events, oldest first."""

    events: list[dict[str, Any]]
    more: bool  # there may be more right now
    ended: bool  # the run has ended, and these were its last events


def events_page(run_id: int, after: int, limit: int = PAGE) -> EventPage:
    """The next events after number *after*, without gaps. Raises NotFound. Two queries."""
    status = Run.objects.filter(pk=run_id).values_list("status", flat=True).first()
    if status is None:
        raise NotFound(f"no run {run_id}")
    rows = Event.objects.filter(run_id=run_id, seq__gt=after).order_by("seq")[:limit]
    events = [event_json(row) for row in rows]
    more = len(events) == limit
    return EventPage(events, more, ended=status != Status.IN_PROGRESS and not more)


def run_is_active(run_id: int) -> bool:
    """Whether the run exists and has not ended."""
    return Run.objects.filter(pk=run_id, status=Status.IN_PROGRESS).exists()


def event_json(event: Event) -> dict[str, Any]:
    """One event as JSON data. `task` and the ids in `data` are UUIDs with dashes."""
    data = {key: _dashed(value) if key in IDS_IN_DATA else value for key, value in event.data.items()}
    return {
        "run": event.run_id,
        "seq": event.seq,
        "kind": event.kind,
        "task": None if event.task_id is None else str(event.task_id),
        "attempt": event.attempt,
        "at": event.at.isoformat(),
        "data": data,
    }


def _dashed(value: Any) -> Any:
    return str(UUID(value)) if isinstance(value, str) else value
