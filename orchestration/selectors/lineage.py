"""What copies, links and archives are made from, and whether what a link shows is still the newest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, OuterRef

from orchestration.domain.states import Status
from orchestration.models import Attempt, Task

SELECT_TASKS = """SELECT t.id, t.parent_id, t.name, t.status, t.blocked_by_id, t.origin_type, t.original_id,
 t.linked_attempt_id, a.id FROM orchestration_task t
 LEFT JOIN orchestration_attempt a ON a.task_id = t.id AND a.number = t.attempt
 WHERE t.tree_id = %s ORDER BY t.position"""
SELECT_EDGES = """SELECT d.task_id, d.depends_on_id, d.position, d.required, d.map, d.as_key
 FROM orchestration_dependency d JOIN orchestration_task t ON t.id = d.task_id
 WHERE t.tree_id = %s ORDER BY t.position, d.position"""


@dataclass(frozen=True, slots=True)
class SourceTask:
    """A task that another one can be made from; ids as 32 hex digits."""

    id: str
    parent_id: str | None
    name: str
    status: str
    blocked: bool
    origin: str
    original_id: str | None
    linked_attempt: int | None
    newest_attempt: int | None  # id of the attempt with the task's number


@dataclass(frozen=True, slots=True)
class SourceEdge:
    """A dependency; *map* is JSON text."""

    task_id: str
    depends_on: str
    position: int
    required: bool
    map: str | None
    as_key: str | None


def source_tasks(tree_id: int) -> dict[str, SourceTask]:
    """Id -> task of the tree, in outline order. One query."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_TASKS, [tree_id])
        found = [
            SourceTask(
                _hex(pk), _hex(parent), name, status, blocker is not None, origin, _hex(original), linked, newest
            )
            for pk, parent, name, status, blocker, origin, original, linked, newest in cursor.fetchall()
        ]
    return {task.id: task for task in found}


def source_edges(tree_id: int) -> list[SourceEdge]:
    """The dependencies of the tree, in outline order and as listed. One query."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_EDGES, [tree_id])
        return [
            SourceEdge(_hex(task), _hex(other), position, bool(required), mapping, as_key)
            for task, other, position, required, mapping, as_key in cursor.fetchall()
        ]


def newer_result(task: Task) -> Attempt | None:
    """The newest completed attempt of a link's original, if it is newer than the one that the link shows."""
    if task.linked_attempt_id is None:
        return None
    newer = Attempt.objects.filter(
        task__attempts=task.linked_attempt_id, number__gt=F("task__attempts__number"), status=Status.COMPLETED.value
    )
    return newer.order_by("-number").first()


def links_with_newer_results(tree_id: int) -> set[UUID]:
    """Ids of the tree's links for which `newer_result` finds one. One query."""
    newer = Attempt.objects.filter(
        task=OuterRef("linked_attempt__task"),
        number__gt=OuterRef("linked_attempt__number"),
        status=Status.COMPLETED.value,
    )
    links = Task.objects.filter(tree=tree_id, linked_attempt__isnull=False)
    return set(links.filter(Exists(newer)).values_list("pk", flat=True))


def _hex(value: Any) -> Any:
    """A database's uuid (text on SQLite, UUID on PostgreSQL) as 32 hex digits; None stays."""
    return value.hex if isinstance(value, UUID) else value
