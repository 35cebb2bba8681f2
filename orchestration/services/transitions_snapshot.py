"""Trees made from other trees: copies start pending, links and archives have the state of the original from the start.

The only place besides `transitions` that writes a status: into new rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from orchestration.domain.errors import Conflict
from orchestration.domain.states import Origin, Status
from orchestration.models import Dependency, Run, Task, Tree
from orchestration.selectors.access import task_for_read
from orchestration.selectors.lineage import SourceEdge, newer_result
from orchestration.services import audit
from orchestration.services.quotas import require_tree
from orchestration.services.rows import db_json, db_time, db_uuid, db_uuids, insert_rows
from orchestration.services.transitions_load import hex_of, time_of
from orchestration.services.trees import DEPENDENCY_FIELDS, tree_for_edit

FEW = 500  # so many tasks are read by id, more by their tree
DEFINITION = (
    "name", "executor", "priority", "inputs", "params", "schemas", "timeout_s", "max_attempts", "backoff",
)  # fmt: skip
JSON_FIELDS = frozenset({"inputs", "params", "schemas", "backoff"})
STATE = ("status", "progress", "error", "blocked_by", "started_at", "completed_at")
PLACE = ("id", "tree", "parent", "position", "depth")
LINEAGE = ("origin_type", "original", "linked_attempt", "run", "created_at", "updated_at")
TASK_FIELDS = (*PLACE, *DEFINITION, *STATE, *LINEAGE)

SELECT_ROWS = f"""SELECT id, {", ".join(DEFINITION)}, status, progress, error, blocked_by_id, started_at, completed_at
 FROM orchestration_task WHERE tree_id = %s"""
FRESH = (Status.PENDING.value, 0.0, None, None, None, None)

ATTEMPT_COLUMNS = """number, try_number, status, executor, worker, inputs, provenance, result, error, error_code,
 traceback, log, started_at, completed_at"""
COPY_ATTEMPTS = f"""INSERT INTO orchestration_attempt (task_id, run_id, {ATTEMPT_COLUMNS})
 SELECT new.id, new.run_id, {", ".join(f"a.{column.strip()}" for column in ATTEMPT_COLUMNS.split(","))}
 FROM orchestration_task new JOIN orchestration_task old ON old.id = new.original_id
 JOIN orchestration_attempt a ON"""
COPY_OWN = f"""{COPY_ATTEMPTS} a.task_id = old.id AND a.number = old.attempt AND a.run_id = old.run_id
 WHERE a.completed_at IS NOT NULL AND new.tree_id = %s"""
COPY_LINKED = f"{COPY_ATTEMPTS} a.id = old.linked_attempt_id WHERE new.tree_id = %s"
SET_NUMBERS = """UPDATE orchestration_task SET attempt = (SELECT a.number FROM orchestration_attempt a
 WHERE a.task_id = orchestration_task.id) WHERE tree_id = %s AND EXISTS (SELECT 1 FROM orchestration_attempt a
 WHERE a.task_id = orchestration_task.id)"""


@dataclass(frozen=True, slots=True)
class ClonedTask:
    """One task of the new tree; ids as 32 hex digits."""

    source_id: str
    id: str
    parent_id: str | None
    depth: int
    role: Origin  # COPY, LINK or ARCHIVE
    original_id: str
    linked_attempt: int | None = None  # of a link
    changes: Mapping[str, Any] = field(default_factory=dict)  # definition fields that differ from the source's


@transaction.atomic
def clone_create(
    *,
    owner: User,
    source: Tree,
    origin: Origin,
    tasks: Sequence[ClonedTask],
    edges: Iterable[SourceEdge],
    action: str = "",
) -> Tree:
    """The new tree of *owner* with *tasks* (in pre-order) made from those of *source*, and *edges* between them.
    *action*: its name in the audit log, without one it is called after *origin*.

    Trusts its arguments: builders check them. Effects: a fixed number of statements, whatever the size; the originals'
    `has_references`. An archive gets one ended run with a copy of each newest attempt (no events) and is then frozen.
    """
    require_tree(owner, len(tasks))
    now = timezone.now()
    rows = _source_rows(source.pk, tasks)
    edges = list(edges)
    tree = Tree.objects.create(
        name=tasks[0].changes.get("name") or rows[tasks[0].source_id][0],
        owner=owner,
        labels=source.labels,
        max_parallel=source.max_parallel,
        origin_type=origin.value,
        original_id=_original_tree(tasks[0], source),
        task_count=len(tasks),
        created_at=now,
        updated_at=now,
    )
    run = _archive_run(tree, rows, edges, now) if origin == Origin.ARCHIVE else None
    insert_rows(Task, TASK_FIELDS, _task_rows(tree.pk, tasks, rows, None if run is None else run.pk, now))
    insert_rows(Dependency, DEPENDENCY_FIELDS, _edge_rows(tasks, edges))
    if run is not None:
        _freeze(tree, now)
    originals = Task.objects.filter(tree=tree).values("original")
    frozen = Tree.objects.exclude(archived_at=None)
    Task.objects.filter(pk__in=originals, has_references=False).exclude(tree__in=frozen).update(has_references=True)
    details = {"name": tree.name, "tasks": len(tasks), "source": source.pk}
    audit.act(actor=owner, action=action or f"tree.{origin.value}", target=f"tree:{tree.pk}", details=details)
    return tree


def _source_rows(tree_id: int, tasks: Sequence[ClonedTask]) -> dict[str, Sequence[Any]]:
    """Source id -> values of DEFINITION and STATE as the database gives them: JSON stays text."""
    query, values = SELECT_ROWS, [tree_id]
    if len(tasks) <= FEW:
        query += f" AND id IN ({', '.join(['%s'] * len(tasks))})"
        values += db_uuids(task.source_id for task in tasks)
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        found = {hex_of(row[0]): row[1:] for row in cursor.fetchall()}
    return {task.source_id: found[task.source_id] for task in tasks}


def _original_tree(root: ClonedTask, source: Tree) -> int:
    """A link names the tree that its result comes from, anything else the one that it was made from."""
    if root.role != Origin.LINK or root.original_id == root.source_id:
        return int(source.pk)
    return int(Task.objects.values_list("tree_id", flat=True).get(pk=UUID(root.original_id)))


def _task_rows(
    tree_id: int, tasks: Sequence[ClonedTask], rows: Mapping[str, Sequence[Any]], run_id: int | None, now: datetime
) -> list[tuple[Any, ...]]:
    stamp = db_time(now)
    new_ids = {task.source_id: db_uuid(task.id) for task in tasks}
    made = []
    for position, task in enumerate(tasks):
        row = rows[task.source_id]
        place = (new_ids[task.source_id], tree_id, db_uuid(task.parent_id), position, task.depth)
        lineage = (task.role.value, db_uuid(task.original_id), task.linked_attempt, run_id, stamp, stamp)
        made.append((*place, *_definition(row, task.changes), *_state(row, task.role, new_ids), *lineage))
    return made


def _definition(row: Sequence[Any], changes: Mapping[str, Any]) -> Sequence[Any]:
    values = row[: len(DEFINITION)]
    if not changes:
        return values
    given = {key: db_json(value) if key in JSON_FIELDS else value for key, value in changes.items()}
    return [given.get(key, value) for key, value in zip(DEFINITION, values, strict=True)]


def _state(row: Sequence[Any], role: Origin, new_ids: Mapping[str, Any]) -> Sequence[Any]:
    if role == Origin.COPY:
        return FRESH
    status, progress, error, blocker, started, completed = row[len(DEFINITION) :]
    if role == Origin.LINK:
        return (Status.COMPLETED.value, 1.0, None, None, started, completed)
    return (status, progress, error, new_ids.get(hex_of(blocker)) if blocker else None, started, completed)


def _edge_rows(tasks: Sequence[ClonedTask], edges: Iterable[SourceEdge]) -> list[tuple[Any, ...]]:
    new_ids = {task.source_id: db_uuid(task.id) for task in tasks}
    return [(new_ids[e.task_id], new_ids[e.depends_on], e.position, e.required, e.map, e.as_key) for e in edges]


def _archive_run(tree: Tree, rows: Mapping[str, Sequence[Any]], edges: Sequence[SourceEdge], now: datetime) -> Run:
    """One ended run that shows the snapshot as if it had been made by it."""
    states = {task_id: row[len(DEFINITION) :] for task_id, row in rows.items()}
    counts = Counter(state[0] for state in states.values())
    ends = [state[5] for state in states.values() if state[5]]
    starts = [state[4] for state in states.values() if state[4]] or ends
    Tree.objects.filter(pk=tree.pk).update(run_count=1)
    tree.run_count = 1
    return Run.objects.create(
        tree=tree,
        number=1,
        status=_verdict(states, edges).value,
        started_by=tree.owner,
        total=len(rows),
        completed=counts[Status.COMPLETED.value],
        failed=counts[Status.FAILED.value],
        cancelled=counts[Status.CANCELLED.value],
        blocked=counts[Status.PENDING.value],
        started_at=time_of(min(starts, default=None)) or now,
        completed_at=time_of(max(ends, default=None)) or now,
    )


def _verdict(states: Mapping[str, Sequence[Any]], edges: Iterable[SourceEdge]) -> Status:
    """As of a run: a failure is handled when somebody waits for the task, and only optionally."""
    failed = {task_id for task_id, state in states.items() if state[0] == Status.FAILED}
    waited = [(edge.depends_on, edge.required) for edge in edges if edge.depends_on in failed]
    handled = {task_id for task_id, _ in waited}.difference(task_id for task_id, required in waited if required)
    fine = all(state[0] == Status.COMPLETED or task_id in handled for task_id, state in states.items())
    return Status.COMPLETED if fine else Status.FAILED


def _freeze(tree: Tree, now: datetime) -> None:
    """Copy the attempts; from the last statement on the guards refuse every change."""
    with connection.cursor() as cursor:
        for statement in (COPY_OWN, COPY_LINKED, SET_NUMBERS):
            cursor.execute(statement, [tree.pk])
    tree.archived_at = now
    tree.save(update_fields=["archived_at"])


@transaction.atomic
def link_move(*, user: User, task_id: UUID | str) -> Task:
    """The link, now on its original's newest completed attempt.

    Raises NotFound, Forbidden, AlreadyRunning, Conflict (archived, not a link, no newer result).
    """
    task = task_for_read(user, task_id)
    tree = tree_for_edit(user, task.tree_id)
    if task.linked_attempt_id is None:
        raise Conflict(f"'{task.name}' is not a link: its own result is the newest", code="not_a_link")
    newer = newer_result(task)
    if newer is None:
        raise Conflict(f"'{task.name}' shows the newest result of its original already", code="no_newer_result")
    now = timezone.now()
    Task.objects.filter(pk=task.pk).update(
        linked_attempt=newer,
        started_at=newer.started_at,
        completed_at=newer.completed_at,
        version=F("version") + 1,
        updated_at=now,
    )
    Tree.objects.filter(pk=tree.pk).update(version=F("version") + 1, updated_at=now)
    details = {"before": task.linked_attempt_id, "after": newer.pk}
    audit.act(actor=user, action="task.link_move", target=f"task:{task.pk}", details=details)
    task.refresh_from_db()
    return task
