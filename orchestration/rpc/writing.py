"""Methods that make, change and delete tasks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from orchestration.builders.array import spec_from_array, tree_from_array
from orchestration.builders.export import array_from_tree
from orchestration.domain.errors import Conflict, Forbidden, IllegalTransition
from orchestration.domain.json_gate import safe_text
from orchestration.domain.spec import TreeSpec
from orchestration.domain.states import Status
from orchestration.models import Dependency, Task, Tree
from orchestration.rpc.params import Params, invalid
from orchestration.rpc.payload import IDLE, one_task, payload, payloads, tasks_for
from orchestration.selectors import access
from orchestration.services.structure import tree_redefine
from orchestration.services.trees import EDITABLE_FIELDS, task_update, tree_delete

STATE = ("progress", "error", "result", "started_at", "completed_at")
NEVER = {"parent_id": "the outline of a stored tree is changed in the builder", "user_id": "a task keeps its owner"}
NAMED = 10


def create(user: Any, given: Any) -> Any:
    """The tasks of the new tree, parents first; of a single one, that. Raises Invalid, Forbidden."""
    tree = created(user, given)
    made = payloads(tasks_for(user).filter(tree=tree).order_by("position"))
    return made if len(made) > 1 else made[0]


def created(user: Any, given: Any) -> Tree:
    """The tree that an array of tasks, or one task, describes. Explicit nulls count as absent."""
    access.require_create(user)
    items = given if isinstance(given, list) else [given]
    tasks = [_without_nulls(item) if isinstance(item, dict) else item for item in items]
    for index, item in enumerate(tasks):
        if isinstance(item, dict) and "user_id" in item:
            _require_own(user, item["user_id"], f"[{index}].user_id")
    return tree_from_array(owner=user, data=tasks, keep_ids=True)


def _without_nulls(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if value is not None}


def _require_own(user: Any, value: Any, field: str) -> None:
    if str(value) not in (user.get_username(), str(user.pk)):
        message = f"Permission denied: you can only create tasks of your own ('{safe_text(user.get_username(), 64)}')"
        raise Forbidden(message, field=field)


def update(user: Any, params: Params) -> Any:
    """The task with another definition. Raises NotFound, Forbidden, Invalid, AlreadyRunning, Conflict."""
    task = one_task(user, params.task_id("task_id", "id"))
    nested = params.object("updates")
    changes = {key: value for key, value in params.given.items() if key not in ("task_id", "id", "updates")}
    changes |= {key: value for key, value in nested.items() if value is not None}
    _refuse_state(task, changes)
    own = {key: value for key, value in changes.items() if key in EDITABLE_FIELDS}
    with transaction.atomic():
        if "dependencies" in changes:
            _depend(user, task, changes["dependencies"])
            task.refresh_from_db()
        if own:
            task_update(user=user, task_id=task.pk, version=task.version, changes=own)
    return payload(one_task(user, str(task.pk)))


def _refuse_state(task: Task, changes: dict[str, Any]) -> None:
    status = changes.get("status", task.status)
    if status != task.status:
        to = safe_text(str(status), 32)
        message = f"Invalid state transition: cannot transition from '{task.status}' to '{to}': execute or cancel it"
        raise IllegalTransition(message, field="status")
    for key in STATE:
        if key in changes and (key != "progress" or changes[key] != task.progress):
            raise invalid(key, "is written by the engine only", "read_only")
    shown = payload(task)
    for key, why in NEVER.items():
        if key in changes and changes[key] != shown[key]:
            raise invalid(key, f"cannot be changed: {why}", "read_only")
    for key in IDLE.keys() & changes.keys():
        if changes[key] not in (False, 0):
            raise invalid(key, "there are no schedules on this server", "unsupported")


def _depend(user: Any, task: Task, given: Any) -> None:
    """Give the task other dependencies; everything else of the tree stays."""
    tree = access.tree_for_write(user, task.tree_id)
    if task.status != Status.PENDING:
        message = f"Cannot update 'dependencies': task status is '{task.status}' (must be 'pending')"
        raise IllegalTransition(message, field="dependencies")
    items = array_from_tree(tree, ids=True)
    for item in items:
        if item["id"] == str(task.pk):
            item["dependencies"] = given
    tree_redefine(user=user, tree_id=tree.pk, version=tree.version, spec=_spec(tree, items))


def _spec(tree: Tree, items: list[dict[str, Any]]) -> TreeSpec:
    own = {pk.hex for pk in Task.objects.filter(tree=tree).values_list("pk", flat=True)}
    return spec_from_array(items, keep_ids=True, own_ids=own)


def delete(user: Any, params: Params) -> Any:
    """Delete a pending task with everything under it. Raises NotFound, Forbidden, AlreadyRunning, Conflict."""
    task = one_task(user, params.task_id("task_id", "id"))
    tree = access.tree_for_write(user, task.tree_id)
    below = list(_below(task))
    _refuse_delete(task, below)
    if task.parent_id is None:
        tree_delete(user=user, tree_id=tree.pk)
    else:
        gone = {str(task.pk), *(str(t.pk) for t in below)}
        items = [item for item in array_from_tree(tree, ids=True) if item["id"] not in gone]
        tree_redefine(user=user, tree_id=tree.pk, version=tree.version, spec=_spec(tree, items))
    count = len(below)
    return {"success": True, "task_id": str(task.pk), "deleted_count": count + 1, "children_deleted": count}


def _below(task: Task) -> Iterable[Task]:
    known = {task.pk}
    for row in Task.objects.filter(tree=task.tree_id, position__gt=task.position).order_by("position"):
        if row.parent_id in known:
            known.add(row.pk)
            yield row


def _refuse_delete(task: Task, below: list[Task]) -> None:
    reasons = []
    if started := [f"{t.name}: {t.status}" for t in below if t.status != Status.PENDING]:
        named = safe_text(", ".join(started[:NAMED]), 500)
        reasons.append(f"task has {len(started)} non-pending children: [{named}]")
    if task.status != Status.PENDING:
        reasons.append(f"task status is '{task.status}' (must be 'pending')")
    gone = [task.pk, *(t.pk for t in below)]
    awaited = Dependency.objects.filter(task__tree=task.tree_id, depends_on__in=gone[:500]).exclude(task__in=gone[:500])
    if task.parent_id is not None and awaited.exists():
        reasons.append("task has dependent tasks and cannot be deleted")
    if reasons:
        raise Conflict(f"Cannot delete task: {'; '.join(reasons)}", code="cannot_delete", field="task_id")
