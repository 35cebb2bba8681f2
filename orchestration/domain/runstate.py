"""One active run in memory: what a start, a report or a cancel changes (progression.py: what follows from it)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from orchestration.domain.changes import AttemptDraft, AttemptEnd
from orchestration.domain.errors import OrchestrationError
from orchestration.domain.progression import BLOCKED, Progression
from orchestration.domain.retry import delay_s
from orchestration.domain.states import Kind, Status
from orchestration.domain.taskstate import TaskState
from orchestration.domain.work import UNCOUNTED, WORKER_LOST, Ending, Outcome

KEEP_RESULT_CHARS = 8192  # longer results are read from the attempt again when a dependent starts
MIDDLE_DICE = 0.5


class RunState(Progression):
    """All that can happen to a run. Methods return nothing: their effect is in the tasks and in `changes`."""

    owner_id: int | None = None
    recovery_limit = 3
    max_parallel = 0  # attempts of this run at a time; 0 = as many as there are slots

    @property
    def room(self) -> int:
        """How many more attempts the tree's own limit allows."""
        return self.max_parallel - self.counts[Status.IN_PROGRESS]

    def running(self, executor: str) -> int:
        """Attempts of *executor* in progress. Looks at the whole scope: asked only for executors with a limit."""
        return sum(task.status == Status.IN_PROGRESS and task.executor == executor for task in self.scope)

    def holds(self, task: TaskState, outcome: Outcome) -> bool:
        """Whether *outcome* comes from the task's live attempt: the fence."""
        return task.status == Status.IN_PROGRESS and task.attempt == outcome.attempt

    def stopping(self) -> list[tuple[str, int]]:
        """(task id, attempt) of everything that was asked to stop and has not confirmed yet."""
        return [
            (task.id, task.attempt)
            for task in self.scope
            if task.status == Status.IN_PROGRESS and task.stop_requested_at is not None
        ]

    # -- starting --------------------------------------------------------------------------------------------------

    def start(self, task: TaskState, inputs: str, provenance: str, now: datetime) -> AttemptDraft:
        """Begin the next attempt of a ready *task* with its resolved inputs and their provenance (JSON texts)."""
        task.attempt += 1
        task.tries += 1
        task.status = Status.IN_PROGRESS
        task.started_at = now
        task.progress = 0.0
        task.ready_at = task.retry_at = None
        self._count(Status.PENDING, Status.IN_PROGRESS)
        draft = AttemptDraft(task.id, task.attempt, task.tries, task.executor, now, inputs, provenance)
        self.changes.starts.append(draft)
        self._touch(task)
        self._event(Kind.TASK_STARTED, task, now, {"status": Status.IN_PROGRESS, "try": task.tries})
        for edge in task.edges:
            edge.task.unstarted -= 1
            if edge.task.unstarted <= 0:
                edge.task.result = None
        return draft

    def refuse(self, task: TaskState, error: OrchestrationError, now: datetime) -> None:
        """Fail a ready *task* before any work: its inputs cannot be made, or its owner has not the right."""
        draft = self.start(task, "{}", "{}", now)
        draft.status, draft.completed_at = Status.FAILED, now
        draft.error, draft.error_code = str(error), error.code
        self._end(task, Status.FAILED, now, str(error), error.code)
        self._finish_step(now)

    def wake(self, task: TaskState, now: datetime) -> None:
        """The back-off of *task* is over: it is ready again."""
        if task.status == Status.PENDING and not task.settled and task.retry_at is not None and task.retry_at <= now:
            task.retry_at = None
            self._make_ready(task, now)

    # -- reports ---------------------------------------------------------------------------------------------------

    def report(self, outcome: Outcome, now: datetime, dice: float = MIDDLE_DICE) -> None:
        """Take in what an attempt reports. A report of an attempt that is not live changes nothing but the log.

        *dice*: a random number 0..1 that spreads the back-off of a retry.
        """
        task = self.tasks.get(outcome.task_id)
        if task is None or not self.holds(task, outcome):
            self.note_late(outcome, now)
        elif outcome.ending == Ending.PROGRESS:
            self._progress(task, outcome, now)
        elif task.stop_requested_at is not None:
            self._confirm_stop(task, outcome, now)
        elif outcome.ending == Ending.COMPLETED:
            self._complete(task, outcome, now)
        elif outcome.ending in (Ending.LOST, Ending.RELEASED):
            self._take_over(task, outcome, now)
        elif outcome.ending == Ending.FAILED and outcome.retryable and task.tries < task.max_attempts:
            self._retry(task, outcome, now, dice)
        else:
            self._give_up(task, outcome, now)
        self._finish_step(now)

    def note_late(self, outcome: Outcome, now: datetime) -> None:
        """Log a report that came too late or twice; progress is dropped without a word."""
        if outcome.ending != Ending.PROGRESS:
            data = {"ending": outcome.ending.value, "error": outcome.error}
            self._append(Kind.LATE_RESULT, outcome.task_id, outcome.attempt, now, data)

    def _progress(self, task: TaskState, outcome: Outcome, now: datetime) -> None:
        task.progress = outcome.progress
        self._touch(task)
        self._event(Kind.TASK_PROGRESS, task, now, {"progress": outcome.progress, "message": outcome.message})

    def _complete(self, task: TaskState, outcome: Outcome, now: datetime) -> None:
        self._close_attempt(task, outcome, Status.COMPLETED, now)
        if task.unstarted > 0 and outcome.result is not None and len(outcome.result) <= KEEP_RESULT_CHARS:
            task.result = outcome.result
        self._end(task, Status.COMPLETED, now)

    def _give_up(self, task: TaskState, outcome: Outcome, now: datetime) -> None:
        status = Status.CANCELLED if outcome.ending == Ending.CANCELLED else Status.FAILED
        outcome.error = outcome.error or "ended without a message"
        self._close_attempt(task, outcome, status, now)
        self._end(task, status, now, outcome.error, outcome.error_code)

    def _confirm_stop(self, task: TaskState, outcome: Outcome, now: datetime) -> None:
        """The cancel was committed first, so it wins, however the attempt ended."""
        if outcome.ending == Ending.COMPLETED:
            self.note_late(outcome, now)
        reason = task.stop_reason
        outcome.error, outcome.error_code, outcome.traceback = reason, "", ""
        self._close_attempt(task, outcome, Status.CANCELLED, now)
        self._end(task, Status.CANCELLED, now, reason)

    def _take_over(self, task: TaskState, outcome: Outcome, now: datetime) -> None:
        """Its engine is gone, which is not its own fault: run again, unless that happens over and over."""
        lost = outcome.ending == Ending.LOST
        task.recoveries += lost
        if task.recoveries > self.recovery_limit:
            outcome.error = f"lost with its engine {task.recoveries} times: given up"
            outcome.error_code = WORKER_LOST
            self._give_up(task, outcome, now)
            return
        self._close_attempt(task, outcome, Status.FAILED if lost else Status.CANCELLED, now)
        task.tries -= 1
        self._back_to_pending(task, outcome, 0.0, now)
        self._make_ready(task, now)

    def _retry(self, task: TaskState, outcome: Outcome, now: datetime, dice: float) -> None:
        delay = delay_s(task.backoff, task.tries, dice)
        self._close_attempt(task, outcome, Status.FAILED, now)
        task.retry_at = now + timedelta(seconds=delay)
        self.changes.retries.append(task)
        self._back_to_pending(task, outcome, delay, now)

    def _back_to_pending(self, task: TaskState, outcome: Outcome, delay: float, now: datetime) -> None:
        self._count(task.status, Status.PENDING)
        task.status = Status.PENDING
        task.progress = 0.0
        for edge in task.edges:
            edge.task.unstarted += 1
        self._touch(task)
        data: dict[str, Any] = {"status": Status.PENDING, "try": task.tries, "delay_s": round(delay, 3)}
        self._event(Kind.TASK_RETRYING, task, now, {**data, "error": outcome.error, "error_code": outcome.error_code})

    def _close_attempt(self, task: TaskState, outcome: Outcome, status: Status, now: datetime) -> None:
        completed = status == Status.COMPLETED
        self.changes.ends.append(
            AttemptEnd(
                task.id,
                task.attempt,
                status,
                now,
                result=(outcome.result if outcome.result is not None else "null") if completed else None,
                error=None if completed else outcome.error,
                error_code=outcome.error_code,
                traceback=outcome.traceback,
                log=outcome.log,
            )
        )

    # -- cancelling ------------------------------------------------------------------------------------------------

    def cancel(self, tasks: Iterable[TaskState], reason: str, now: datetime) -> None:
        """Cancel what is pending at once and ask what is running to stop; *reason* becomes the error text."""
        ended: list[TaskState] = []
        for task in tasks:
            if not task.in_scope or task.stop_requested_at is not None:
                continue
            if task.status == Status.PENDING or (task.status == Status.IN_PROGRESS and not task.cancelable):
                ended.append(task)
            elif task.status == Status.IN_PROGRESS:
                self._request_stop(task, reason, now)
        fresh = [task for task in ended if not task.settled]
        for task in ended:
            self._cancel_now(task, reason, now)
        for task in fresh:
            self._settle_dependents(task, now)
        self._finish_step(now)

    def cancel_run(self, reason: str, now: datetime) -> None:
        """Cancel everything that is not finished; nothing of the run starts afterwards."""
        self.cancelling = True
        self._append(Kind.RUN_CANCELLING, None, None, now, {"reason": reason})
        self.cancel(self.scope, reason, now)

    def _request_stop(self, task: TaskState, reason: str, now: datetime) -> None:
        task.stop_requested_at = now
        task.stop_reason = reason
        self._touch(task)
        self._event(Kind.TASK_STOPPING, task, now, {"reason": reason})

    def _cancel_now(self, task: TaskState, reason: str, now: datetime) -> None:
        if task.status == Status.IN_PROGRESS:
            self.changes.ends.append(AttemptEnd(task.id, task.attempt, Status.CANCELLED, now, error=reason))
        self.open -= not task.settled
        self._count(BLOCKED if task.blocked_by is not None else task.status, Status.CANCELLED)
        task.status = Status.CANCELLED
        self._finish_row(task, now, reason)
        self._event(Kind.TASK_CANCELLED, task, now, {"status": Status.CANCELLED, "error": reason})


def counts_as_try(error_code: str) -> bool:
    """Whether an ended attempt with this code used up one of the task's max_attempts."""
    return error_code not in UNCOUNTED
