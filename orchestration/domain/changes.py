"""What one step of a run changed: rows to write, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestration.domain.states import Kind, Status
from orchestration.domain.taskstate import TaskState


@dataclass(slots=True)
class EventDraft:
    seq: int
    kind: Kind
    task_id: str | None
    attempt: int | None
    at: datetime
    data: dict[str, Any]


@dataclass(slots=True)
class AttemptDraft:
    """A new attempt; one that ended in the same step (a group, refused inputs) is written once, as ended."""

    task_id: str
    number: int
    try_number: int
    executor: str
    started_at: datetime
    inputs: str = "{}"
    provenance: str = "{}"
    status: Status = Status.IN_PROGRESS
    error: str | None = None
    error_code: str = ""
    completed_at: datetime | None = None


@dataclass(slots=True)
class AttemptEnd:
    task_id: str
    number: int
    status: Status
    at: datetime
    result: str | None = None
    error: str | None = None
    error_code: str = ""
    traceback: str = ""
    log: str = ""


@dataclass(slots=True)
class Changes:
    events: list[EventDraft] = field(default_factory=list)
    tasks: dict[str, TaskState] = field(default_factory=dict)  # every task whose row must be written
    starts: list[AttemptDraft] = field(default_factory=list)
    ends: list[AttemptEnd] = field(default_factory=list)
    ready: list[TaskState] = field(default_factory=list)  # newly waiting for a slot
    retries: list[TaskState] = field(default_factory=list)  # newly waiting for their back-off

    def __bool__(self) -> bool:
        return bool(self.events or self.tasks or self.starts or self.ends)
