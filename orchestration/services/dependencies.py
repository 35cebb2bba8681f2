"""Single dependencies: added, changed and removed. Whole definitions: services.structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from orchestration.conf import conf
from orchestration.domain.errors import AlreadyRunning, Conflict, Invalid, NotFound, Problem
from orchestration.domain.graph import cycle_text, find_cycle
from orchestration.domain.json_gate import safe_text
from orchestration.domain.task_fields import check_as, check_map, got
from orchestration.models import Dependency, Task, Tree
from orchestration.selectors.access import task_for_read
from orchestration.services.trees import tree_for_edit

FIELDS = ("required", "map", "as")


@transaction.atomic
def dependency_add(
    *, user: Any, task_id: UUID, depends_on: UUID, fields: Mapping[str, Any], version: int | None = None
) -> Dependency:
    """From now on the task waits for *depends_on* too, as the last one. *fields*: required, map, as.

    Raises NotFound, Forbidden, Invalid (fields, another tree's task, a cycle), Conflict (run_active, archived,
    dependency_exists, or the task has no longer *version*). Effects: task and tree have the next version.
    """
    task = _task_for_edit(user, task_id, version)
    values = {"required": True, **_checked(fields)}
    _check_both(values.get("map"), values.get("as_key"))
    other = Task.objects.filter(tree=task.tree_id, pk=depends_on).first()
    if other is None:
        message = "there is no such task in this tree: a task can wait only for tasks of the same tree"
        raise Invalid([Problem("depends_on", message, "unknown_reference")])
    edges = _edges(task.tree_id)
    if other.pk in edges.get(task.pk, ()):
        message = f"'{_short(task.name)}' waits for '{_short(other.name)}' already: change that dependency"
        raise Conflict(message, code="dependency_exists", field="depends_on")
    if sum(map(len, edges.values())) >= conf().max_dependencies:
        message = f"the tree has {conf().max_dependencies} dependencies already: split it"
        raise Invalid([Problem("depends_on", message, "too_many")])
    edges.setdefault(task.pk, []).append(other.pk)
    _check_cycle(task, edges)
    last = Dependency.objects.filter(task=task).aggregate(last=Max("position"))["last"]
    dependency = Dependency(task=task, depends_on=other, position=0 if last is None else last + 1, **values)
    dependency.save(force_insert=True)
    _rise(task)
    return dependency


@transaction.atomic
def dependency_change(
    *, user: Any, task_id: UUID, depends_on: UUID, fields: Mapping[str, Any], version: int | None = None
) -> Dependency:
    """The dependency with other *fields*: required, map, as (null takes map or as away). Raises as `dependency_add`."""
    task = _task_for_edit(user, task_id, version)
    dependency = dependency_of(task, depends_on)
    for name, value in _checked(fields).items():
        setattr(dependency, name, value)
    _check_both(dependency.map, dependency.as_key)
    dependency.save(update_fields=["required", "map", "as_key"])
    _rise(task)
    return dependency


@transaction.atomic
def dependency_remove(*, user: Any, task_id: UUID, depends_on: UUID, version: int | None = None) -> None:
    """The task waits for *depends_on* no longer. Raises NotFound, Forbidden, Conflict. Effects: the next version."""
    task = _task_for_edit(user, task_id, version)
    dependency_of(task, depends_on).delete()
    _rise(task)


def dependency_of(task: Task, depends_on: UUID) -> Dependency:
    """The dependency of *task* on that task. Raises NotFound."""
    found = Dependency.objects.filter(task=task, depends_on=depends_on).first()
    if found is None:
        raise NotFound(f"'{_short(task.name)}' does not wait for {depends_on}")
    found.task = task
    return found


def _task_for_edit(user: Any, task_id: UUID, version: int | None) -> Task:
    """The task, its tree locked until the transaction ends: two edges at once cannot close a cycle."""
    tree_id = task_for_read(user, task_id).tree_id
    try:
        tree_for_edit(user, tree_id)
    except AlreadyRunning as active:
        raise Conflict(active.message, code="run_active") from None
    task = task_for_read(user, task_id)
    if version is not None and task.version != version:
        message = f"'{_short(task.name)}' was changed meanwhile (now version {task.version}): reload, then try again"
        raise Conflict(message, code="stale_version", field="version")
    return task


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values of *fields* by column."""
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "map":
            values["map"] = check_map(value, "map", problems)
        elif name == "as":
            values["as_key"] = check_as(value, "as", problems)
        elif name == "required" and isinstance(value, bool):
            values["required"] = value
        elif name == "required":
            problems.append(Problem("required", f"expected true or false, got {got(value)}", "invalid_type"))
        else:
            message = f"unknown field; known: {', '.join(FIELDS)}"
            problems.append(Problem(safe_text(str(name), 64), message, "unknown_field"))
    if problems:
        raise Invalid(problems)
    return values


def _check_both(mapping: Any, as_key: Any) -> None:
    if mapping is not None and as_key is not None:
        raise Invalid([Problem("", "has both 'map' and 'as': send null for one of them", "map_and_as")])


def _edges(tree_id: int) -> dict[UUID, list[UUID]]:
    found: dict[UUID, list[UUID]] = {}
    for task, other in Dependency.objects.filter(task__tree=tree_id).order_by().values_list("task_id", "depends_on_id"):
        found.setdefault(task, []).append(other)
    return found


def _check_cycle(task: Task, edges: dict[UUID, list[UUID]]) -> None:
    ids = {task.pk: None, **dict.fromkeys(edges)}  # what waits for nothing is on no cycle
    cycle = find_cycle(ids, edges)
    if cycle is None:
        return
    start = cycle.index(task.pk) if task.pk in cycle else 0
    cycle = [*cycle[start:], *cycle[:start]]
    known = dict(Task.objects.filter(tree=task.tree_id).values_list("pk", "name"))
    text = cycle_text([_short(known[key]) for key in cycle])
    raise Invalid([Problem("depends_on", f"dependencies form a cycle: {text}; remove one of these first", "cycle")])


def _rise(task: Task) -> None:
    now = timezone.now()
    Task.objects.filter(pk=task.pk).update(version=F("version") + 1, updated_at=now)
    Tree.objects.filter(pk=task.tree_id).update(version=F("version") + 1, updated_at=now)
    task.version += 1


def _short(text: str) -> str:
    return safe_text(text, 64)
