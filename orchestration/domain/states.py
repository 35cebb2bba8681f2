"""The states of a task, a run and an attempt, and the only legal changes between them."""

from __future__ import annotations

from enum import StrEnum

from orchestration.domain.errors import IllegalTransition


class Status(StrEnum):
    """Stored states; everything else that a page shows (ready, blocked, ...) is derived by `display_state`."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.IN_PROGRESS, Status.CANCELLED}),
    Status.IN_PROGRESS: frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.PENDING}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}
"""From -> to inside one run. in_progress -> pending is a retry or a take-over (the attempt ends, the task does not).
A terminal task changes only by re-execution: a new run that resets its scope to pending."""

TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


class Display(StrEnum):
    """What a page shows for a task: a stored state, refined by why it is so."""

    READY = "ready"
    WAITING = "waiting"
    BLOCKED = "blocked"
    RETRYING = "retrying"
    RUNNING = "running"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    IDLE = "pending"


class Kind(StrEnum):
    """Kinds of event, one per visible change of a run."""

    RUN_STARTED = "run_started"
    TASK_READY = "task_ready"
    TASK_STARTED = "task_started"
    TASK_PROGRESS = "task_progress"
    TASK_COMPLETED = "task_completed"
    TASK_FAILED = "task_failed"
    TASK_CANCELLED = "task_cancelled"
    TASK_STOPPING = "task_stopping"
    TASK_BLOCKED = "task_blocked"
    TASK_RETRYING = "task_retrying"
    TASK_CHANGED = "task_changed"
    LATE_RESULT = "late_result"
    RUN_CANCELLING = "run_cancelling"
    RUN_COMPLETED = "run_completed"
    RUN_FAILED = "run_failed"
    RUN_CANCELLED = "run_cancelled"


TASK_END = {
    Status.COMPLETED: Kind.TASK_COMPLETED,
    Status.FAILED: Kind.TASK_FAILED,
    Status.CANCELLED: Kind.TASK_CANCELLED,
}
RUN_END = {
    Status.COMPLETED: Kind.RUN_COMPLETED,
    Status.FAILED: Kind.RUN_FAILED,
    Status.CANCELLED: Kind.RUN_CANCELLED,
}


class Origin(StrEnum):
    """How a tree or task came to be."""

    CREATE = "create"
    COPY = "copy"
    LINK = "link"
    ARCHIVE = "archive"


class WorkerKind(StrEnum):
    """What a process is to the others."""

    ENGINE = "engine"  # decides what starts; runs attempts itself, unless it leaves that to workers
    WORKER = "worker"  # runs what an engine hands out


class Mode(StrEnum):
    """What part of a tree a run executes."""

    ALL = "all"
    FAILED = "failed"
    FROM = "from"
    ONLY = "only"


def check_transition(current: str, to: str) -> None:
    """Raises IllegalTransition ("cannot go from 'completed' to 'in_progress'") unless the table allows the change."""
    if Status(to) not in TRANSITIONS[Status(current)]:
        raise IllegalTransition(f"cannot go from '{current}' to '{to}'")


def display_state(status: str, *, active: bool, blocked: bool, ready: bool, retrying: bool, stopping: bool) -> Display:
    """The state that a page shows. *active*: the task is in the scope of a run that has not ended."""
    if status == Status.IN_PROGRESS:
        return Display.STOPPING if stopping else Display.RUNNING
    if status != Status.PENDING:
        return Display(str(status))
    if blocked:
        return Display.BLOCKED
    if not active:
        return Display.IDLE
    if retrying:
        return Display.RETRYING
    return Display.READY if ready else Display.WAITING
