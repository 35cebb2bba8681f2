"""RunState -> rows: the set-based SQL of the engine's hot path. Used by transitions.py alone.

The driver takes it as it is (driver.py), and it is the same SQL on SQLite and PostgreSQL, where updates of many
rows are one statement (transitions_bulk.py). Ids travel as 32 hex digits, times through the backend's own adapter,
JSON as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from orchestration.domain.changes import AttemptDraft, AttemptEnd, Changes
from orchestration.domain.progression import BLOCKED
from orchestration.domain.runstate import RunState
from orchestration.domain.states import Status
from orchestration.domain.taskstate import TaskState
from orchestration.driver import another, array_columns, insert_into, native, pipelined
from orchestration.failpoints import failpoint
from orchestration.services import transitions_bulk
from orchestration.services.transitions_load import StaleState, compact

Row = Sequence[Any]


class Count(NamedTuple):
    """How many rows the last statement of *cursor* must have changed, once it is answered."""

    cursor: Any
    rows: int
    what: str


LIVE = Status.IN_PROGRESS.value

UPDATE_TASK = native(
    """UPDATE orchestration_task SET status = %s, attempt = %s, progress = %s, error = %s, blocked_by_id = %s,
 ready_at = %s, retry_at = %s, stop_requested_at = %s, stop_reason = %s, started_at = %s, completed_at = %s,
 updated_at = %s
 WHERE id = %s AND run_id = %s AND status = %s AND attempt = %s"""
)
INSERT_ATTEMPT = insert_into(
    "orchestration_attempt",
    {
        "run_id": "bigint", "worker": "text", "lease_expires_at": "timestamptz", "task_id": "uuid", "number": "int",
        "try_number": "smallint", "executor": "text", "started_at": "timestamptz", "inputs": "text",
        "provenance": "text", "status": "text", "error": "text", "error_code": "text", "completed_at": "timestamptz",
    },
    {"result": "NULL", "traceback": "''", "log": "''"},
)  # fmt: skip
UPDATE_ATTEMPT = native("""UPDATE orchestration_attempt SET status = %s, completed_at = %s, result = %s, error = %s,
 error_code = %s, traceback = %s, log = %s, lease_expires_at = NULL
 WHERE task_id = %s AND number = %s AND status = %s""")
INSERT_EVENT = insert_into(
    "orchestration_event",
    {
        "run_id": "bigint", "seq": "bigint", "kind": "text", "task_id": "uuid", "attempt": "int", "at": "timestamptz",
        "data": "text",
    },
)  # fmt: skip
UPDATE_RUN = native("""UPDATE orchestration_run SET seq = %s, status = %s, running = %s, completed = %s, failed = %s,
 cancelled = %s, blocked = %s, completed_at = %s WHERE id = %s AND seq = %s""")


def store(
    cursor: Any,
    written: Iterable[tuple[RunState, Changes]],
    now: datetime,
    *,
    worker: str = "",
    lease_until: datetime | None = None,
) -> None:
    """Write one step by a `driver_cursor`: what has changed in each run. As many statements for many runs as for one.

    Raises StaleState when a row was changed by somebody else meanwhile (roll back!).
    """
    written = [(state, changes) for state, changes in written if changes]
    if not written:
        return
    counts: list[Count] = []
    try:
        with pipelined():
            _send(cursor, written, now, worker, lease_until, counts)
    except Exception:
        _expect([count for count in counts if count.cursor.rowcount >= 0])  # it may be the reason
        raise
    _expect(counts)


def _send(
    cursor: Any,
    written: Sequence[tuple[RunState, Changes]],
    now: datetime,
    worker: str,
    lease_until: datetime | None,
    counts: list[Count],
) -> None:
    """The statements; into *counts* goes how many rows each update must find."""
    times = Times()
    if tasks := [_task_row(t, s.run_id, times, now) for s, changes in written for t in changes.tasks.values()]:
        counts.append(_update(cursor, UPDATE_TASK, transitions_bulk.TASKS, tasks, "task"))
    failpoint("store.tasks")
    # first: a task that is taken over may start again in the same step
    if ends := [_end_row(end, times) for _, changes in written for end in changes.ends]:
        counts.append(_update(cursor, UPDATE_ATTEMPT, transitions_bulk.ATTEMPTS, ends, "attempt"))
    lease = times(lease_until)
    starts = [_start_row(draft, s.run_id, worker, lease, times) for s, changes in written for draft in changes.starts]
    INSERT_ATTEMPT.run(cursor, starts)
    failpoint("store.attempts")
    store_events(cursor, [(state.run_id, changes) for state, changes in written], times)
    failpoint("store.events")
    runs = [_run_row(state, times, now) for state, _ in written]
    counts.append(_update(cursor, UPDATE_RUN, transitions_bulk.RUNS, runs, "run"))
    failpoint("store.run")


def _update(cursor: Any, each: str, bulk: str, rows: Sequence[Row], what: str) -> Count:
    """Write *rows*, each by compare-and-set: one by one with *each*, or on PostgreSQL with *bulk*."""
    own = another(cursor)
    if connection.vendor == "postgresql":
        own.execute(bulk, array_columns(rows))
    else:
        own.executemany(each, rows)
    return Count(own, len(rows), what)


def _expect(counts: Iterable[Count]) -> None:
    for cursor, rows, what in counts:
        if cursor.rowcount != rows:
            raise StaleState(f"{cursor.rowcount} of {rows} {what} rows were as expected")


def stored(state: RunState, changes: Changes) -> None:
    """Note that *changes* were committed."""
    for task in changes.tasks.values():
        task.stored_status, task.stored_attempt = task.status, task.attempt


def store_events(cursor: Any, written: Iterable[tuple[int, Changes]], times: Times) -> None:
    """Append the events of runs by their ids; the numbers are each run's next ones."""
    rows = [
        (run_id, e.seq, e.kind.value, e.task_id, e.attempt, times(e.at), compact(e.data) if e.data else "{}")
        for run_id, changes in written
        for e in changes.events
    ]
    INSERT_EVENT.run(cursor, rows)


def _task_row(task: TaskState, run_id: int, times: Times, now: datetime) -> tuple[Any, ...]:
    return (
        task.status.value,
        task.attempt,
        task.progress,
        task.error,
        task.blocked_by,
        times(task.ready_at),
        times(task.retry_at),
        times(task.stop_requested_at),
        task.stop_reason,
        times(task.started_at),
        times(task.completed_at),
        times(now),
        task.id,
        run_id,
        task.stored_status.value,
        task.stored_attempt,
    )


def _start_row(draft: AttemptDraft, run_id: int, worker: str, lease: Any, times: Times) -> tuple[Any, ...]:
    live = draft.status == Status.IN_PROGRESS
    return (
        run_id,
        worker,
        lease if live else None,
        draft.task_id,
        draft.number,
        draft.try_number,
        draft.executor,
        times(draft.started_at),
        draft.inputs,
        draft.provenance,
        draft.status.value,
        draft.error,
        draft.error_code,
        times(draft.completed_at),
    )


def _end_row(end: AttemptEnd, times: Times) -> tuple[Any, ...]:
    return (
        end.status.value,
        times(end.at),
        end.result,
        end.error,
        end.error_code,
        end.traceback,
        end.log,
        end.task_id,
        end.number,
        LIVE,
    )


def _run_row(state: RunState, times: Times, now: datetime) -> list[Any]:
    counts = state.counts
    ended = None if state.status == Status.IN_PROGRESS else now
    numbers = [counts[s] for s in (Status.IN_PROGRESS, Status.COMPLETED, Status.FAILED, Status.CANCELLED, BLOCKED)]
    return [state.seq, state.status.value, *numbers, times(ended), state.run_id, state.stored_seq]


class Times:
    """Datetimes as the backend wants them; one step uses few different ones, so each is adapted once."""

    def __init__(self) -> None:
        self._known: dict[datetime, Any] = {}
        self._adapt = connection.ops.adapt_datetimefield_value

    def __call__(self, value: datetime | None) -> Any:
        if value is None:
            return None
        adapted = self._known.get(value)
        if adapted is None:
            adapted = self._known[value] = self._adapt(value)
        return adapted
