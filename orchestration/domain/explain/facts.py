"""What the explanations are made from: tasks and dependencies as one run sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orchestration.domain.states import Status

MAX_NAME = 60  # characters of a name in a sentence


class Fate(StrEnum):
    """How a task stands for those that wait for it."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"  # will not run in this run
    OPEN = "open"  # of an active run, and not at its end yet
    IDLE = "idle"  # pending, and in the scope of no active run


@dataclass(frozen=True, slots=True)
class TaskFact:
    """One task; ids are opaque. The defaults are those of a task that waits in an active run."""

    id: str
    name: str
    status: str = Status.PENDING
    executor: str = ""  # "" = group
    priority: int = 2
    position: int = 0
    isolated: bool = True  # takes a process slot, else an async slot
    linked: bool = False
    in_run: bool = True  # in the scope of the run that is explained
    active: bool = True  # that run has not ended
    run_number: int | None = None  # of the newest run that had this task in its scope
    blocked_by: str | None = None
    error: str = ""
    ready_at: datetime | None = None
    retry_at: datetime | None = None
    stop_requested_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def works(self) -> bool:
        """Whether it takes a slot: groups and links do not."""
        return bool(self.executor) and not self.linked


@dataclass(frozen=True, slots=True)
class EdgeFact:
    """`task` waits for `depends_on`."""

    task: str
    depends_on: str
    required: bool = True


Tasks = Mapping[str, TaskFact]
EdgesOf = Mapping[str, list[EdgeFact]]


def fate(task: TaskFact) -> Fate:
    """How *task* stands for its dependents."""
    if task.status not in (Status.PENDING, Status.IN_PROGRESS):
        return Fate(str(task.status))
    if task.blocked_by is not None:
        return Fate.BLOCKED
    return Fate.OPEN if task.active and task.in_run else Fate.IDLE


def blocks(edge: EdgeFact, tasks: Tasks) -> bool:
    """Whether the task that waits cannot run because of *edge*."""
    if not edge.required:
        return False
    end = fate(tasks[edge.depends_on])
    return end in (Fate.FAILED, Fate.CANCELLED, Fate.BLOCKED) or (end == Fate.IDLE and tasks[edge.task].in_run)


def edges_by_task(edges: Iterable[EdgeFact], tasks: Tasks) -> dict[str, list[EdgeFact]]:
    """Task id -> the dependencies it waits for, in their order; those of unknown tasks are left out."""
    found: dict[str, list[EdgeFact]] = {}
    for edge in edges:
        if edge.task in tasks and edge.depends_on in tasks:
            found.setdefault(edge.task, []).append(edge)
    return found


def quoted(name: str) -> str:
    """*name* in quotes, on one line, bounded."""
    line = " ".join(name.split())
    return f"“{line if len(line) <= MAX_NAME else line[: MAX_NAME - 1] + '…'}”"
