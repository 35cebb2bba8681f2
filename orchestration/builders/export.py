"""A tree as the array that builders.array reads: import what this gives, and export gives the same again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestration.executors.registry import find
from orchestration.models import Attempt, Dependency, Task, Tree

type Reference = Callable[[UUID], str]

DEFAULTS: dict[str, Any] = {
    "priority": 2,
    "inputs": {},
    "params": {},
    "schemas": {},
    "timeout_s": None,
    "max_attempts": 1,
    "backoff": {},
}


def array_from_tree(tree: Tree, *, state: bool = False, ids: bool = False) -> list[dict[str, Any]]:
    """The tasks of *tree* in pre-order, as `spec_from_array` takes them; fields at their default are left out.

    Definition only: tasks refer to each other by name where all names differ, else by small ids ("1", "2", ...), so
    that the same tree always gives the same array. *state*: with real ids, status, result, error and times as well.
    *ids*: refer by real ids.
    """
    tasks = list(Task.objects.filter(tree=tree).select_related("tree").order_by("position"))
    edges: dict[UUID, list[Dependency]] = {}
    for edge in Dependency.objects.filter(task__tree=tree).order_by("task_id", "position"):
        edges.setdefault(edge.task_id, []).append(edge)
    refer, shows_ids = _references(tasks, ids or state)
    array = [_definition(task, edges.get(task.pk, []), refer, shows_ids) for task in tasks]
    if state:
        results = _results(tasks)
        array = [item | _state(task, results) for item, task in zip(array, tasks, strict=True)]
    return array


def _references(tasks: list[Task], real_ids: bool) -> tuple[Reference, bool]:
    if real_ids:
        return str, True
    names = Counter(task.name for task in tasks)
    if len(names) == len(tasks):
        by_pk = {task.pk: task.name for task in tasks}
    else:
        by_pk = {task.pk: str(number) for number, task in enumerate(tasks, start=1)}
    return by_pk.__getitem__, len(names) != len(tasks)


def _definition(task: Task, edges: list[Dependency], refer: Reference, shows_ids: bool) -> dict[str, Any]:
    item: dict[str, Any] = {"id": refer(task.pk)} if shows_ids else {}
    item["name"] = task.name
    if task.parent_id is not None:
        item["parent_id"] = refer(task.parent_id)
    if task.executor or _seems_to_have_one(task):
        item["executor"] = task.executor
    item |= {key: getattr(task, key) for key, default in DEFAULTS.items() if getattr(task, key) != default}
    if edges:
        item["dependencies"] = [_dependency(edge, refer, shows_ids) for edge in edges]
    return item


def _seems_to_have_one(task: Task) -> bool:
    """Without an explicit "" the import would find an executor for a task that has none."""
    return bool(task.params.get("executor_id") or task.schemas.get("method") or find(task.name))


def _dependency(edge: Dependency, refer: Reference, shows_ids: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"id" if shows_ids else "name": refer(edge.depends_on_id)}
    if not edge.required:
        entry["required"] = False
    if edge.map is not None:
        entry["map"] = edge.map
    if edge.as_key is not None:
        entry["as"] = edge.as_key
    return entry


def _results(tasks: list[Task]) -> dict[tuple[UUID, int], Any]:
    """(task, number of its newest attempt) -> result; for a link, that of the original."""
    if not tasks:
        return {}
    newest = {(task.pk, task.attempt) for task in tasks if task.attempt}
    attempts = Attempt.objects.filter(task__tree=tasks[0].tree_id).values_list("task_id", "number", "result")
    found = {(task_id, number): result for task_id, number, result in attempts if (task_id, number) in newest}
    if all(task.linked_attempt_id is None for task in tasks):
        return found
    links = Task.objects.filter(tree=tasks[0].tree_id, linked_attempt__isnull=False)
    originals = links.values_list("pk", "attempt", "linked_attempt__result")
    return found | {(task_id, number): result for task_id, number, result in originals}


def _state(task: Task, results: dict[tuple[UUID, int], Any]) -> dict[str, Any]:
    return {
        "user_id": str(task.tree.owner_id),
        "task_tree_id": str(task.tree_id),
        "status": task.status,
        "progress": task.progress,
        "result": results.get((task.pk, task.attempt)),
        "error": task.error,
        "created_at": _iso(task.created_at),
        "started_at": _iso(task.started_at),
        "completed_at": _iso(task.completed_at),
        "updated_at": _iso(task.updated_at),
        "origin_type": task.origin_type,
        "original_task_id": None if task.original_id is None else str(task.original_id),
        "has_references": task.has_references,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
