"""One task of an active run as the engine knows it: definition, place in the graph, state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestration.domain.states import Status


@dataclass(slots=True)
class Edge:
    """A dependency seen from the task that waits."""

    task: TaskState  # the one that is waited for
    required: bool
    map: dict[str, str] | None = None
    as_key: str | None = None


@dataclass(slots=True, eq=False)
class TaskState:
    """Mutable state of one task in one run; RunState changes it, the writer stores it."""

    id: str  # 32 hex digits
    name: str
    executor: str  # "" = group
    priority: int
    position: int
    isolated: bool = True  # takes a process slot, else an async slot
    merges: bool = False
    cancelable: bool = True
    permission: str = ""  # right that its executor needs
    inputs: str = "{}"  # JSON text, parsed when an attempt starts
    params: str = "{}"
    override_inputs: dict[str, Any] = field(default_factory=dict)
    input_schema: dict[str, Any] | None = None
    timeout_s: float | None = None
    max_attempts: int = 1
    backoff: dict[str, Any] = field(default_factory=dict)
    linked_attempt: int | None = None  # id of the attempt that holds the result of a link

    edges: list[Edge] = field(default_factory=list)
    dependents: list[tuple[TaskState, bool]] = field(default_factory=list)
    in_scope: bool = True
    unsettled: int = 0  # dependencies that have not ended yet
    unstarted: int = 0  # dependents that may still ask for this task's result
    result: str | None = None  # JSON text kept for them; None = read it from the attempt

    status: Status = Status.PENDING
    attempt: int = 0
    tries: int = 0  # counted attempts in this run
    recoveries: int = 0  # attempts in this run that were taken over from a dead engine
    progress: float = 0.0
    error: str | None = None
    blocked_by: str | None = None
    ready_at: datetime | None = None
    retry_at: datetime | None = None
    stop_requested_at: datetime | None = None
    stop_reason: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    # as stored: the writer's compare-and-set
    stored_status: Status = Status.PENDING
    stored_attempt: int = 0

    @property
    def dashed(self) -> str:
        """The id as people and programs outside see it."""
        i = self.id
        return f"{i[:8]}-{i[8:12]}-{i[12:16]}-{i[16:20]}-{i[20:]}"

    @property
    def settled(self) -> bool:
        """True when this task will not change any more in this run."""
        return not self.in_scope or self.blocked_by is not None or self.status not in _OPEN

    @property
    def verdict(self) -> str:
        """How it ended, for its dependents: completed, failed, cancelled or blocked."""
        return str(self.status) if self.status not in _OPEN else "blocked"


_OPEN = (Status.PENDING, Status.IN_PROGRESS)
