"""Stored tasks as records."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet

from orchestration.domain.states import Origin, Status
from orchestration.manager.records import DEFINITION, TaskRecord
from orchestration.models import Attempt, Dependency, Task

TIMES = ("created_at", "started_at", "completed_at", "updated_at")


def stored_task(task_id: Any) -> Task | None:
    """The task with its tree and its owner, or None; also for what is no id at all."""
    try:
        wanted = UUID(str(task_id))
    except ValueError:
        return None
    return Task.objects.filter(pk=wanted).select_related("tree__owner").first()


def record_of_task(task: Task) -> TaskRecord:
    """The task as a record. Three queries."""
    return _records(Task.objects.filter(pk=task.pk))[0]


def records_of_tree(tree_id: int) -> list[TaskRecord]:
    """All tasks of the tree, parents first. Three queries."""
    return _records(Task.objects.filter(tree_id=tree_id))


def _records(tasks: QuerySet[Task]) -> list[TaskRecord]:
    edges: dict[UUID, list[dict[str, Any]]] = {}
    for edge in Dependency.objects.filter(task__in=tasks).order_by("task_id", "position"):
        edges.setdefault(edge.task_id, []).append(_dependency(edge))
    results = _results(tasks)
    found = tasks.select_related("tree__owner").order_by("position")
    return [_record(task, edges.get(task.pk, []), results.get(task.pk)) for task in found]


def _results(tasks: QuerySet[Task]) -> dict[UUID, Any]:
    own = Attempt.objects.filter(task__in=tasks, number=F("task__attempt"), status=Status.COMPLETED)
    results: dict[UUID, Any] = dict(own.values_list("task_id", "result"))
    links = tasks.exclude(linked_attempt=None)
    return results | dict(links.values_list("pk", "linked_attempt__result"))


def _dependency(edge: Dependency) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": str(edge.depends_on_id), "required": edge.required}
    if edge.map is not None:
        entry["map"] = edge.map
    if edge.as_key is not None:
        entry["as"] = edge.as_key
    return entry


def _record(task: Task, dependencies: list[dict[str, Any]], result: Any) -> TaskRecord:
    return TaskRecord(
        id=str(task.pk),
        user_id=task.tree.owner.get_username(),
        parent_id=_text(task.parent_id),
        executor=task.executor,
        dependencies=dependencies,
        status=Status(task.status),
        progress=task.progress,
        result=result if task.status == Status.COMPLETED else None,
        error=task.error,
        blocked_by=_text(task.blocked_by_id),
        origin_type=Origin(task.origin_type),
        original_task_id=_text(task.original_id),
        has_references=task.has_references,
        tree_id=task.tree_id,
        **{key: getattr(task, key) for key in (*DEFINITION, *TIMES)},
    )


def _text(task_id: UUID | None) -> str | None:
    return None if task_id is None else str(task_id)
