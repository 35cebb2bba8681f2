"""What is under the parents of a run's tree: how far it is, and from when to when it ran. One walk over the outline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestration.domain.states import TERMINAL, Status
from orchestration.models import Run, Task

_COLUMNS = ("pk", "depth", "executor", "status", "progress", "run_id", "started_at", "completed_at")


@dataclass(frozen=True, slots=True)
class Group:
    """What is under a task that does no work itself: its progress is the mean over its leaves."""

    leaves: int
    done: int  # completed
    ended: int  # completed, failed or cancelled
    running: int
    progress: float  # 0.0..1.0


@dataclass(frozen=True, slots=True)
class Reach:
    """From the first start to the last end of what is under a task; *end* is None while some of it runs."""

    start: datetime
    end: datetime | None


@dataclass(slots=True)
class _Below:
    """Sums over the subtrees seen since their parent."""

    leaves: int = 0
    done: int = 0
    ended: int = 0
    running: int = 0
    progress: float = 0.0
    start: datetime | None = None
    end: datetime | None = None
    open: bool = False

    def add(self, other: _Below) -> None:
        self.leaves += other.leaves
        self.done += other.done
        self.ended += other.ended
        self.running += other.running
        self.progress += other.progress
        self.reach(other.start, other.end, other.open)

    def reach(self, start: datetime | None, end: datetime | None, running: bool) -> None:
        if start is not None:
            self.start = start if self.start is None else min(self.start, start)
        if end is not None:
            self.end = end if self.end is None else max(self.end, end)
        self.open = self.open or running


def outline(run: Run, *fields: str) -> Iterable[Any]:
    """Those fields of every task of the run's tree, in outline order. One query."""
    return Task.objects.filter(tree_id=run.tree_id).order_by("position").values_list(*fields)


def groups_of(run: Run) -> tuple[dict[UUID, Group], dict[UUID, Reach]]:
    """Every group of the tree, and the reach of every parent whose tasks *run* had last. Backwards over the outline:
    what is under a task comes before it. One query."""
    groups: dict[UUID, Group] = {}
    reaches: dict[UUID, Reach] = {}
    below: dict[int, _Below] = {}
    for task_id, depth, executor, status, progress, run_id, started, ended in reversed(list(outline(run, *_COLUMNS))):
        own = below.pop(depth + 1, None)
        if own is not None and own.start is not None:
            reaches[task_id] = Reach(own.start, None if own.open else own.end)
        if own is not None and not executor:
            groups[task_id] = Group(own.leaves, own.done, own.ended, own.running, own.progress / own.leaves)
        else:
            running = status == Status.IN_PROGRESS
            own = own or _Below()
            own.add(_Below(1, status == Status.COMPLETED, status in TERMINAL, running, progress))
            if run_id == run.pk and started is not None:
                own.reach(started, ended, running)
        below.setdefault(depth, _Below()).add(own)
    return groups, reaches
