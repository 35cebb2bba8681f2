"""How a run moves forward: who becomes ready, who is blocked, when it ends.

The rows are the truth; this is a view of them that is valid as long as `seq` equals the run's row. Every method changes
the view and notes in `changes` what must be written. Nothing here recurses, waits, reads a clock or a database.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from orchestration.domain.changes import AttemptDraft, Changes, EventDraft
from orchestration.domain.states import RUN_END, TASK_END, Kind, Status
from orchestration.domain.taskstate import TaskState

BLOCKED = "blocked"


class Progression:
    """The run's tasks by id, its counts, and the changes of the step that is under way."""

    def __init__(self, run_id: int, seq: int, tasks: Iterable[TaskState], *, cancelling: bool = False) -> None:
        self.run_id = run_id
        self.seq = self.stored_seq = seq
        self.tasks = {task.id: task for task in tasks}
        self.scope = [task for task in self.tasks.values() if task.in_scope]
        self.status = Status.IN_PROGRESS
        self.cancelling = cancelling
        self.changes = Changes()
        self.counts: dict[str, int] = dict.fromkeys((*Status, BLOCKED), 0)
        for task in self.scope:
            self.counts[_counted_as(task)] += 1
        self.open = sum(not task.settled for task in self.scope)
        self._groups: deque[TaskState] = deque()  # ready groups, completed one after another: a chain must not recurse

    def derive(self, now: datetime) -> None:
        """Find out from the statuses alone what is ready and what is blocked. Idempotent: for start and sweep."""
        self.recount()
        blocked = [(task, by) for task in self.scope if (by := _blocker(task)) is not None]
        for task, by in blocked:
            self._block(task, by, now)
        for task, _by in blocked:
            self._settle_dependents(task, now)
        for task in self.scope:
            if task.status == Status.PENDING and not task.settled and not task.unsettled:
                self._make_ready(task, now)
        self._finish_step(now)

    def recount(self) -> None:
        """Find out from the statuses how many dependencies each task still waits for; nothing else changes."""
        for task in self.scope:
            task.unsettled = sum(not edge.task.settled for edge in task.edges)

    def take_changes(self) -> Changes:
        """The changes since the last call; the caller stores them or throws this object away."""
        changes, self.changes = self.changes, Changes()
        return changes

    # -- readiness -------------------------------------------------------------------------------------------------

    def _make_ready(self, task: TaskState, now: datetime) -> None:
        if task.ready_at is not None or task.retry_at is not None:
            return
        if not task.executor:
            self._groups.append(task)
            return
        task.ready_at = now
        self.changes.ready.append(task)
        self._touch(task)
        self._event(Kind.TASK_READY, task, now, {})

    def _settle_dependents(self, task: TaskState, now: datetime) -> None:
        """Tell everything that waits for *task*, and for what that blocks, that it has ended."""
        queue = deque([task])
        while queue:
            ended = queue.popleft()
            failed = ended.verdict != Status.COMPLETED
            for dependent, required in ended.dependents:
                if dependent.status != Status.PENDING or dependent.settled:
                    continue
                dependent.unsettled -= 1
                if failed and required:
                    self._block(dependent, ended, now)
                    queue.append(dependent)
                elif not dependent.unsettled:
                    self._make_ready(dependent, now)

    def _block(self, task: TaskState, by: TaskState, now: datetime) -> None:
        task.blocked_by = by.id
        task.ready_at = task.retry_at = None
        self._count(Status.PENDING, BLOCKED)
        self.open -= 1
        self._touch(task)
        self._event(Kind.TASK_BLOCKED, task, now, {"blocked_by": by.id})

    # -- ending ----------------------------------------------------------------------------------------------------

    def _end(self, task: TaskState, status: Status, now: datetime, error: str | None = None, code: str = "") -> None:
        self._count(task.status, status)
        self.open -= 1
        task.status = status
        self._finish_row(task, now, error)
        data: dict[str, Any] = {"status": status}
        if error is not None:
            data["error"] = error
        if code:
            data["error_code"] = code
        self._event(TASK_END[status], task, now, data)
        self._settle_dependents(task, now)

    def _finish_row(self, task: TaskState, now: datetime, error: str | None) -> None:
        task.completed_at = now
        task.error = error
        task.ready_at = task.retry_at = task.stop_requested_at = None
        task.stop_reason = ""
        if task.status == Status.COMPLETED:
            task.progress = 1.0
        self._touch(task)

    def _finish_step(self, now: datetime) -> None:
        """Complete the groups that became ready, one after another, and end the run when nothing is open any more."""
        while self._groups:
            task = self._groups.popleft()
            if task.status == Status.PENDING and not task.settled:
                self._complete_group(task, now)
        if not self.open and self.status == Status.IN_PROGRESS:
            self.status = self._verdict()
            self._append(RUN_END[self.status], None, None, now, {"status": self.status})

    def _complete_group(self, task: TaskState, now: datetime) -> None:
        task.attempt += 1
        task.started_at = now
        self.changes.starts.append(
            AttemptDraft(task.id, task.attempt, 1, "", now, status=Status.COMPLETED, completed_at=now)
        )
        self._end(task, Status.COMPLETED, now)

    def _verdict(self) -> Status:
        if self.cancelling:
            return Status.CANCELLED
        if self.counts[BLOCKED] or self.counts[Status.CANCELLED]:
            return Status.FAILED
        handled = all(is_handled(task) for task in self.scope if task.status == Status.FAILED)
        return Status.COMPLETED if handled else Status.FAILED

    # -- notes for the writer --------------------------------------------------------------------------------------

    def _touch(self, task: TaskState) -> None:
        self.changes.tasks[task.id] = task

    def _count(self, before: str, after: str) -> None:
        self.counts[before] -= 1
        self.counts[after] += 1

    def _event(self, kind: Kind, task: TaskState, now: datetime, data: dict[str, Any]) -> None:
        self._append(kind, task.id, task.attempt or None, now, data)

    def _append(
        self, kind: Kind, task_id: str | None, attempt: int | None, now: datetime, data: dict[str, Any]
    ) -> None:
        self.seq += 1
        self.changes.events.append(EventDraft(self.seq, kind, task_id, attempt, now, data))


def _counted_as(task: TaskState) -> str:
    """A blocked task that was cancelled afterwards keeps its `blocked_by`, but counts as cancelled."""
    return BLOCKED if task.status == Status.PENDING and task.blocked_by is not None else task.status


def is_handled(task: TaskState) -> bool:
    """Whether the failure of *task* is taken care of: somebody waits for it, and only optionally."""
    waiting = [required for dependent, required in task.dependents if dependent.in_scope]
    return bool(waiting) and not any(waiting)


def connect(task: TaskState) -> None:
    """Note on the tasks that *task* waits for that it does (its edges must be complete)."""
    waiting = task.in_scope and task.status == Status.PENDING
    for edge in task.edges:
        source = edge.task
        source.dependents.append((task, edge.required))
        source.unstarted += waiting


def _blocker(task: TaskState) -> TaskState | None:
    """The first required dependency of a pending *task* that has ended without completing."""
    if task.status != Status.PENDING or task.settled:
        return None
    for edge in task.edges:
        if edge.required and edge.task.settled and edge.task.verdict != Status.COMPLETED:
            return edge.task
    return None
