"""A run told a second time, from its events alone. The engine does not use it: it is what rows are checked against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.domain.states import RUN_END, TASK_END, TERMINAL, Kind, Status

ENDED_TASK = {kind: status for status, kind in TASK_END.items()}
ENDED_RUN = {kind: status for status, kind in RUN_END.items()}
REMARKS = frozenset({Kind.TASK_CHANGED, Kind.LATE_RESULT})  # they change no state
MAX_FAULTS = 50  # named per run


@dataclass(frozen=True, slots=True)
class Told:
    """One event."""

    seq: int
    kind: str
    task: str | None  # 32 hex digits
    attempt: int | None
    data: Mapping[str, Any]


@dataclass(slots=True)
class TaskStory:
    """A task as the events tell it."""

    status: Status = Status.PENDING
    attempt: int = 0  # 0: none in this run
    blocked_by: str | None = None
    error: str | None = None
    stopping: bool = False
    ready: bool = False


@dataclass(slots=True)
class Story:
    """A run as its events tell it."""

    status: Status = Status.IN_PROGRESS
    seq: int = 0
    tasks: dict[str, TaskStory] = field(default_factory=dict)
    attempts: dict[tuple[str, int], Status | None] = field(default_factory=dict)  # None: ended, to be tried again
    faults: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        """Note what is wrong with the events."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(text)

    def count(self, status: Status) -> int:
        """How many of the tasks that the events name are in *status*."""
        return sum(task.status == status for task in self.tasks.values())

    @property
    def blocked(self) -> int:
        """How many tasks were given up, because something they need did not complete."""
        return sum(t.blocked_by is not None and t.status == Status.PENDING for t in self.tasks.values())


def fold(events: Iterable[Told]) -> Story:
    """The story of *events*, oldest first. What cannot be is in `faults`: gaps, illegal changes, unknown kinds."""
    story = Story()
    for event in events:
        if event.seq != story.seq + 1:
            story.fault(f"event {story.seq + 1} is missing: the next one is {event.seq}")
        story.seq = event.seq
        try:
            kind = Kind(event.kind)
        except ValueError:
            story.fault(f"event {event.seq} is of no known kind")
            continue
        if (event.seq == 1) != (kind == Kind.RUN_STARTED):
            story.fault(f"event {event.seq} is {kind}: {Kind.RUN_STARTED} is the first event and no other")
        elif kind not in REMARKS:
            _step(story, event, kind)
    return story


def _step(story: Story, event: Told, kind: Kind) -> None:
    if story.status in TERMINAL:
        story.fault(f"event {event.seq} is {kind}, after the end of the run")
    if kind in ENDED_RUN:
        story.status = ENDED_RUN[kind]
    elif event.task is not None:
        task = story.tasks.setdefault(event.task, TaskStory())
        if task.status in TERMINAL or (task.blocked_by is not None and kind != Kind.TASK_CANCELLED):
            story.fault(f"event {event.seq} is {kind}, of a task that had ended")
        _task_step(story, task, event, kind)


def _task_step(story: Story, task: TaskStory, event: Told, kind: Kind) -> None:
    match kind:
        case Kind.TASK_READY:
            task.ready = True
        case Kind.TASK_STARTED:
            _started(story, task, event)
        case Kind.TASK_RETRYING:
            _expect(story, task, event, kind)
            story.attempts[str(event.task), event.attempt or 0] = None
            task.status, task.stopping = Status.PENDING, False
        case Kind.TASK_PROGRESS:
            _expect(story, task, event, kind)
        case Kind.TASK_STOPPING:
            _expect(story, task, event, kind)
            task.stopping = True
        case Kind.TASK_BLOCKED:
            task.blocked_by = event.data.get("blocked_by")
        case _ if kind in ENDED_TASK:
            _ended(story, task, event, ENDED_TASK[kind])


def _started(story: Story, task: TaskStory, event: Told) -> None:
    if task.status != Status.PENDING or not task.ready:
        story.fault(f"event {event.seq} is {event.kind}, of a task that was not ready")
    number = event.attempt or 0
    if task.attempt and number != task.attempt + 1:
        story.fault(f"event {event.seq} starts attempt {number}, after attempt {task.attempt}")
    task.status, task.attempt, task.ready = Status.IN_PROGRESS, number, False
    story.attempts[str(event.task), number] = Status.IN_PROGRESS


def _ended(story: Story, task: TaskStory, event: Told, status: Status) -> None:
    ran = task.status == Status.IN_PROGRESS
    if status == Status.FAILED and not ran:
        story.fault(f"event {event.seq} is {event.kind}, of a task that was not running")
    if ran and event.attempt != task.attempt:
        story.fault(f"event {event.seq} ends attempt {event.attempt}, but attempt {task.attempt} was running")
    if ran or status == Status.COMPLETED:  # a group completes in one step
        task.attempt = event.attempt or 0
        story.attempts[str(event.task), task.attempt] = status
    task.status, task.error = status, event.data.get("error")
    task.ready = task.stopping = False


def _expect(story: Story, task: TaskStory, event: Told, kind: Kind) -> None:
    if (task.status, task.attempt) != (Status.IN_PROGRESS, event.attempt):
        story.fault(f"event {event.seq} is {kind}, of an attempt that was not running")
