"""What people ask of a run's tasks: start, cancel, another priority. Inside the caller's transaction, with events.

The engine hears of it by the run's seq: its view is stale, it reads the rows again and acts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import connection
from django.utils import timezone

from orchestration.domain.changes import Changes, EventDraft
from orchestration.domain.runstate import RunState
from orchestration.domain.states import Kind, Status
from orchestration.driver import driver_cursor, native
from orchestration.models import Run, Task
from orchestration.services.transitions_load import load_run
from orchestration.services.transitions_store import Times, store, store_events

RESET_TASKS = f"""UPDATE orchestration_task SET run_id = %s, status = '{Status.PENDING.value}', progress = 0,
 error = NULL, blocked_by_id = NULL, ready_at = NULL, retry_at = NULL, stop_requested_at = NULL, stop_reason = '',
 started_at = NULL, completed_at = NULL, updated_at = %s WHERE tree_id = %s"""
NEXT_SEQ = native("UPDATE orchestration_run SET seq = seq + 1 WHERE id = %s RETURNING seq")


def cancel(run_id: int, reason: str, *, task_ids: Iterable[str] | None = None) -> RunState:
    """Cancel tasks of an active run, or the whole of it, inside the caller's transaction.

    *task_ids*: 32 hex digits each; None = the run. Returns the run as it is now. Effects: task, attempt, event and run
    rows; what is running is asked to stop (the engine does that once it hears of it).
    """
    now = timezone.now()
    state = load_run(run_id, recovery_limit=0)
    state.recount()
    if task_ids is None:
        state.cancel_run(reason, now)
    else:
        state.cancel([state.tasks[task_id] for task_id in task_ids], reason, now)
    state.derive(now)  # not before: in a run that no engine has seen yet it would first complete the groups
    with driver_cursor() as cursor:
        store(cursor, [(state, state.take_changes())], now)
    return state


def open_run(run: Run, task_ids: Sequence[str] | None) -> None:
    """Put the scope of a new *run* back to pending and log its start, inside the caller's transaction.

    *task_ids*: 32 hex digits each; None = every task of the tree that is not a link. Sets run.total and run.seq.
    Nothing of the scope can start before this commits, so nobody reads a result of an earlier run as if it were new.
    """
    now = connection.ops.adapt_datetimefield_value(run.started_at)
    with connection.cursor() as cursor:
        if task_ids is None:
            cursor.execute(f"{RESET_TASKS} AND linked_attempt_id IS NULL", [run.pk, now, run.tree_id])
            run.total = cursor.rowcount
        else:
            cursor.executemany(f"{RESET_TASKS} AND id = %s", [(run.pk, now, run.tree_id, i) for i in task_ids])
            run.total = len(task_ids)
    run.save(update_fields=["total"])
    data = {"number": run.number, "mode": run.mode, "total": run.total, "retry_of": run.retry_of_id}
    if run.started_via:
        data["via"] = run.started_via
    note(run.pk, Kind.RUN_STARTED, data)


def prioritise(task: Task, priority: int, *, active: bool) -> None:
    """Give *task* another priority. *active*: it waits in a run, which gets an event, and moves in the queue."""
    was, task.priority = task.priority, priority
    task.save(update_fields=["priority"])
    if active and task.run_id is not None:
        note(task.run_id, Kind.TASK_CHANGED, {"priority": priority, "was": was}, task_id=task.pk.hex)


def note(
    run_id: int, kind: Kind, data: dict[str, object], *, task_id: str | None = None, attempt: int | None = None
) -> bool:
    """Append one event with the run's next number. Returns False when the run is gone."""
    now = timezone.now()
    with driver_cursor() as cursor:
        cursor.execute(NEXT_SEQ, [run_id])
        row = cursor.fetchone()
        if row is None:
            return False
        event = EventDraft(row[0], kind, task_id, attempt, now, dict(data))
        store_events(cursor, [(run_id, Changes(events=[event]))], Times())
    return True
