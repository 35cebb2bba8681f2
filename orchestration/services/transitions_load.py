"""Rows -> RunState: one fixed number of set-based queries, whatever the size of the tree."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from orchestration.domain.progression import connect
from orchestration.domain.runstate import RunState
from orchestration.domain.states import Status
from orchestration.domain.taskstate import Edge, TaskState
from orchestration.domain.work import ENGINE_LOST, UNCOUNTED
from orchestration.executors import registry
from orchestration.executors.base import Executor

STATUSES = {status.value: status for status in Status}
EMPTY = "{}"
NOTHING: dict[str, Any] = {}  # shared by all tasks that have none: never changed
CHUNK = 500  # rows per fetch, and parameters per IN list: SQLite allows 999 on old builds

SELECT_RUN = "SELECT tree_id, seq, cancel_requested_at, overrides FROM orchestration_run WHERE id = %s"
SELECT_TASKS = """SELECT id, name, executor, priority, position, inputs, params, schemas, timeout_s, max_attempts,
 backoff, linked_attempt_id, run_id, status, attempt, progress, error, blocked_by_id, ready_at, retry_at,
 stop_requested_at, stop_reason, started_at, completed_at
 FROM orchestration_task WHERE tree_id = %s ORDER BY position"""
SELECT_EDGES = """SELECT d.task_id, d.depends_on_id, d.required, d.map, d.as_key FROM orchestration_dependency d
 JOIN orchestration_task t ON t.id = d.task_id WHERE t.tree_id = %s ORDER BY d.task_id, d.position"""
SELECT_TRIES = (
    "SELECT task_id, error_code, count(*) FROM orchestration_attempt WHERE run_id = %s GROUP BY task_id, error_code"
)
SELECT_TREE = "SELECT owner_id, max_parallel FROM orchestration_tree WHERE id = %s"


class StaleState(Exception):
    """Another writer was first: the rows are not what this view of them says. Load again."""


def load_run(run_id: int, *, recovery_limit: int) -> RunState:
    """The run as its rows say now. Raises StaleState when it is gone. Queries: 4, or 5 when it has started before."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_RUN, [run_id])
        row = cursor.fetchone()
        if row is None:
            raise StaleState(f"run {run_id} is gone")
        tree_id, seq, cancelled_at, overrides = row
        cursor.execute(SELECT_TASKS, [tree_id])
        executors: dict[str, Executor | None] = {}
        tasks = {record[0]: _task(record, run_id, executors) for record in rows_of(cursor)}  # by the database's id
        cursor.execute(SELECT_EDGES, [tree_id])
        for waiting, awaited, required, mapping, as_key in rows_of(cursor):
            edge = Edge(tasks[awaited], bool(required), parse(mapping) if mapping else None, as_key)
            tasks[waiting].edges.append(edge)
        for task in tasks.values():
            connect(task)
        state = RunState(run_id, seq, tasks.values(), cancelling=cancelled_at is not None)
        state.recovery_limit = recovery_limit
        _override(state.tasks, parse(overrides))
        if any(task.attempt for task in state.scope):
            _count_tries(cursor, run_id, state.tasks)
        cursor.execute(SELECT_TREE, [tree_id])
        state.owner_id, state.max_parallel = cursor.fetchone()
    return state


def rows_of(cursor: Any) -> Iterator[Sequence[Any]]:
    """The rows of *cursor*, fetched in portions: one by one costs more than what is done with a row."""
    return chain.from_iterable(iter(partial(cursor.fetchmany, CHUNK), []))


def _task(row: Sequence[Any], run_id: int, executors: dict[str, Executor | None]) -> TaskState:
    """One of thousands: looks nothing up twice and parses no text that says nothing."""
    name = row[2]
    if name not in executors:
        executors[name] = registry.find(name) if name else None
    name = sys.intern(name)  # one text for all tasks of an executor
    executor = executors[name]
    status = STATUSES[row[13]]
    return TaskState(
        id=hex_of(row[0]),
        name=row[1],
        executor=name,
        priority=row[3],
        position=row[4],
        isolated=executor is not None and executor.isolated,
        merges=executor is not None and executor.merges_results,
        cancelable=executor is None or executor.cancelable,
        permission=executor.permission if executor is not None else "",
        inputs=row[5],
        params=row[6] if row[6] != EMPTY else EMPTY,
        input_schema=parse(row[7]).get("input_schema") if row[7] != EMPTY else None,
        timeout_s=row[8],
        max_attempts=row[9],
        backoff=parse(row[10]) if row[10] != EMPTY else NOTHING,
        override_inputs=NOTHING,
        linked_attempt=row[11],
        in_scope=row[12] == run_id,
        status=status,
        attempt=row[14],
        progress=row[15],
        error=row[16],
        blocked_by=hex_of(row[17]) if row[17] else None,
        ready_at=time_of(row[18]),
        retry_at=time_of(row[19]),
        stop_requested_at=time_of(row[20]),
        stop_reason=row[21],
        started_at=time_of(row[22]),
        completed_at=time_of(row[23]),
        stored_status=status,
        stored_attempt=row[14],
    )


def _override(tasks: dict[str, TaskState], overrides: dict[str, Any]) -> None:
    for task_id, change in overrides.items():
        task = tasks[UUID(task_id).hex]
        task.override_inputs = change.get("inputs", {})
        task.priority = change.get("priority", task.priority)
        task.timeout_s = change.get("timeout_s", task.timeout_s)


def _count_tries(cursor: Any, run_id: int, tasks: dict[str, TaskState]) -> None:
    cursor.execute(SELECT_TRIES, [run_id])
    for task_id, code, count in cursor.fetchall():
        task = tasks[hex_of(task_id)]
        task.tries += 0 if code in UNCOUNTED else count
        task.recoveries += count if code == ENGINE_LOST else 0


def load_results(tasks: Iterable[TaskState]) -> dict[str, str | None]:
    """Task id -> JSON text of its result, for completed tasks (links: of the attempt they refer to)."""
    own: list[TaskState] = []
    linked: dict[int, str] = {}
    for task in tasks:
        if task.linked_attempt is None:
            own.append(task)
        else:
            linked[task.linked_attempt] = task.id
    found: dict[str, str | None] = {}
    with connection.cursor() as cursor:
        for part in _chunks([task.id for task in own]):
            cursor.execute(
                "SELECT a.task_id, a.result FROM orchestration_attempt a JOIN orchestration_task t "
                f"ON t.id = a.task_id AND a.number = t.attempt WHERE a.task_id IN ({_marks(part)})",
                part,
            )
            found |= {hex_of(task_id): result for task_id, result in cursor.fetchall()}
        for part in _chunks(list(linked)):
            cursor.execute(f"SELECT id, result FROM orchestration_attempt WHERE id IN ({_marks(part)})", part)
            found |= {linked[attempt_id]: result for attempt_id, result in cursor.fetchall()}
    return found


def compact(value: Any) -> str:
    """*value* as JSON text. It comes from checked JSON or from the engine itself."""
    return orjson.dumps(value).decode()


def parse(text: str) -> Any:
    """The value of a stored JSON text."""
    return orjson.loads(text)


def hex_of(value: Any) -> str:
    """A database's uuid (text on SQLite, UUID on PostgreSQL) as 32 hex digits."""
    return value if isinstance(value, str) else value.hex


def time_of(value: Any) -> datetime | None:
    """A database's time as an aware datetime: SQLite stores UTC without saying so."""
    if value is None:
        return None
    time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _chunks(values: list[Any]) -> Iterable[list[Any]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))
