"""Creating, naming, editing and deleting trees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from orchestration.conf import conf
from orchestration.domain.errors import AlreadyRunning, Conflict, Invalid, Problem
from orchestration.domain.spec import TaskSpec, TreeSpec
from orchestration.domain.states import Origin, Status
from orchestration.domain.task_fields import CHECKS, Limits, check_labels, check_together, did_you_mean
from orchestration.executors.validation import schema_problems
from orchestration.failpoints import failpoint
from orchestration.models import Dependency, Run, Task, Tree
from orchestration.selectors.access import task_for_read, tree_for_write
from orchestration.services import audit
from orchestration.services.executor_rights import check_written
from orchestration.services.locking import lock_families, lock_tree
from orchestration.services.quotas import require_tree
from orchestration.services.rows import db_json, db_time, db_uuid, db_uuids, insert_rows

TASK_FIELDS = (
    "id", "tree", "parent", "position", "depth", "name", "executor", "priority", "inputs", "params", "schemas",
    "timeout_s", "max_attempts", "backoff", "origin_type", "original", "created_at", "updated_at",
)  # fmt: skip
EDITABLE_FIELDS = ("name", "inputs", "params", "schemas", "priority", "timeout_s", "max_attempts", "backoff")
TOLD_FIELDS = frozenset(EDITABLE_FIELDS) - {"inputs", "params", "schemas"}  # values for the audit log: never secrets
DEPENDENCY_FIELDS = ("task", "depends_on", "position", "required", "map", "as_key")

DELETE_PARTS = (
    "DELETE FROM orchestration_event WHERE run_id IN (SELECT id FROM orchestration_run WHERE tree_id = %s)",
    "DELETE FROM orchestration_attempt WHERE run_id IN (SELECT id FROM orchestration_run WHERE tree_id = %s)",
    "DELETE FROM orchestration_dependency WHERE task_id IN (SELECT id FROM orchestration_task WHERE tree_id = %s)",
    "DELETE FROM orchestration_task WHERE tree_id = %s",
    "DELETE FROM orchestration_run WHERE tree_id = %s",
)
"""What hangs on a tree, dependents first; foreign keys are checked at commit."""


@transaction.atomic
def tree_create(
    *,
    owner: User,
    spec: TreeSpec,
    labels: Iterable[str] = (),
    origin: Origin = Origin.CREATE,
    original: Tree | None = None,
    originals: Mapping[str, str] | None = None,
    action: str = "tree.create",
) -> Tree:
    """The new tree of *owner*. *originals*: new task id -> id of the task that it was made from (both 32 hex digits).
    *action*: its name in the audit log.

    Raises Invalid, Forbidden as executor_rights.check_written. Effects: three inserts in one transaction, whatever the
    size. *spec* is trusted: make it with a builder.
    """
    check_written(owner, {task.executor for task in spec.tasks})
    require_tree(owner, len(spec.tasks))
    now = timezone.now()
    tree = Tree.objects.create(
        name=spec.name,
        owner=owner,
        labels=list(dict.fromkeys([*spec.labels, *labels])),
        origin_type=origin.value,
        original=original,
        task_count=len(spec.tasks),
        created_at=now,
        updated_at=now,
    )
    insert_rows(Task, TASK_FIELDS, task_rows(spec.tasks, tree.pk, now, origin, originals or {}))
    insert_rows(Dependency, DEPENDENCY_FIELDS, dependency_rows(spec.tasks))
    details = {"name": tree.name, "tasks": tree.task_count}
    audit.act(actor=owner, action=action, target=f"tree:{tree.pk}", details=details)
    failpoint("tree.create")
    return tree


def task_rows(
    tasks: Sequence[TaskSpec], tree_id: int, now: datetime, origin: Origin, originals: Mapping[str, str]
) -> list[tuple[Any, ...]]:
    """The values of TASK_FIELDS, for `insert_rows`."""
    stamp = db_time(now)
    depths: dict[str | None, int] = {None: -1}
    ids = [task.id for task in tasks]
    keys: dict[str | None, Any] = {None: None, **dict(zip(ids, db_uuids(ids), strict=True))}
    rows = []
    for position, task in enumerate(tasks):
        depth = depths[task.id] = depths[task.parent_id] + 1
        rows.append((
            keys[task.id], tree_id, keys[task.parent_id], position, depth, task.name, task.executor,
            task.priority, db_json(task.inputs), db_json(task.params), db_json(task.schemas), task.timeout_s,
            task.max_attempts, db_json(task.backoff), origin.value,
            db_uuid(originals.get(task.id)) if originals else None, stamp, stamp,
        ))  # fmt: skip
    return rows


def dependency_rows(tasks: Sequence[TaskSpec]) -> list[tuple[Any, ...]]:
    """The values of DEPENDENCY_FIELDS, for `insert_rows`."""
    ids = [task.id for task in tasks]
    keys = dict(zip(ids, db_uuids(ids), strict=True))
    return [
        (
            keys[task.id],
            keys[edge.id],
            position,
            edge.required,
            None if edge.map is None else db_json(edge.map),
            edge.as_key,
        )
        for task in tasks
        for position, edge in enumerate(task.dependencies)
    ]


def draft_tasks(tree: Tree) -> list[Task]:
    """The tasks that have inputs or params but no executor: a run that reaches one is refused."""
    undecided = Task.objects.filter(tree=tree, executor="").order_by("position")
    return [task for task in undecided if task.inputs or task.params]


@transaction.atomic
def tree_rename(*, user: User, tree_id: int, name: str) -> Tree:
    """The tree, its root renamed. Raises NotFound, Forbidden, Invalid, AlreadyRunning, Conflict (archived)."""
    tree = tree_for_write(user, tree_id)
    root = Task.objects.get(tree=tree, parent=None)
    _change_task(user, root.pk, root.version, {"name": name})
    tree.refresh_from_db()
    _note_change(user, "tree.update", f"tree:{tree.pk}", {"name": root.name}, {"name": tree.name})
    return tree


@transaction.atomic
def tree_label(*, user: User, tree_id: int, labels: list[str]) -> Tree:
    """The tree with *labels* in place of those it had; allowed at any time. Raises NotFound, Forbidden, Invalid."""
    tree = lock_tree(tree_for_write(user, tree_id).pk)
    problems: list[Problem] = []
    before = tree.labels
    tree.labels = check_labels(labels, "labels", problems)
    if problems:
        raise Invalid(problems)
    tree.updated_at = timezone.now()
    tree.save(update_fields=["labels", "updated_at"])
    _note_change(user, "tree.update", f"tree:{tree.pk}", {"labels": before}, {"labels": tree.labels})
    return tree


@transaction.atomic
def task_update(*, user: User, task_id: UUID | str, version: int, changes: Mapping[str, Any]) -> Task:
    """The task with *changes* to its definition, if it still has *version* (then one higher).

    Raises NotFound, Forbidden, Invalid (all problems at once), AlreadyRunning, Conflict (archived, a link, or changed
    by somebody else). Effects: one or two UPDATEs; the tree's version rises too, and its name follows the root's.
    """
    before, task = _change_task(user, task_id, version, changes)
    _note_change(user, "task.update", f"task:{task.pk}", before, {name: getattr(task, name) for name in before})
    return task


def _note_change(user: User, action: str, target: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    """An audit entry with the values before and after, but of inputs and the like only that they have changed."""
    names = sorted(name for name in before if name == "labels" or name in TOLD_FIELDS)
    details = {
        "fields": sorted(before),
        "before": {name: before[name] for name in names},
        "after": {name: after[name] for name in names},
    }
    audit.act(actor=user, action=action, target=target, details=details)


def _change_task(
    user: User, task_id: UUID | str, version: int, changes: Mapping[str, Any]
) -> tuple[dict[str, Any], Task]:
    """(What was there before, the task)."""
    task = task_for_read(user, task_id)
    tree = tree_for_edit(user, task.tree_id)
    if task.linked_attempt_id is not None:
        raise Conflict(f"'{task.name}' is a link and shows the original's definition: copy it to edit it", code="link")
    values = _checked(task, changes)
    before = {name: getattr(task, name) for name in values}
    now = timezone.now()
    rows = Task.objects.filter(pk=task.pk, version=version).update(**values, version=F("version") + 1, updated_at=now)
    if not rows:
        message = f"'{task.name}' was changed meanwhile (now version {task.version}): reload, then change it again"
        raise Conflict(message, code="stale_version", field="version")
    named = {"name": values["name"]} if task.parent_id is None and "name" in values else {}
    Tree.objects.filter(pk=tree.pk).update(**named, version=F("version") + 1, updated_at=now)
    task.refresh_from_db()
    return before, task


def _checked(task: Task, changes: Mapping[str, Any]) -> dict[str, Any]:
    limits = Limits(conf().max_inputs_bytes, conf().max_depth)
    problems: list[Problem] = []
    values = {}
    for key, value in changes.items():
        if key in EDITABLE_FIELDS:
            values[key] = CHECKS[key](value, key, limits, problems)
            if key == "schemas":
                problems += schema_problems(values[key], key)
        else:
            remedy = did_you_mean(str(key), EDITABLE_FIELDS) or f"; these can be changed: {', '.join(EDITABLE_FIELDS)}"
            problems.append(Problem(str(key)[:64], f"cannot be changed here{remedy}", "unknown_field"))
    if not problems:
        check_together(values.get("inputs", task.inputs), values.get("params", task.params), "", limits, problems)
    if problems:
        raise Invalid(problems)
    return values


def tree_for_edit(user: User, tree_id: int) -> Tree:
    """The tree, locked until the transaction ends. Raises NotFound, Forbidden, AlreadyRunning, Conflict (archived)."""
    tree = tree_for_write(user, tree_id)
    lock_tree(tree.pk)
    if tree.archived_at is not None:
        raise Conflict(f"'{tree.name}' is archived and frozen: copy it to get one that you can change", code="archived")
    run = Run.objects.filter(tree=tree, status=Status.IN_PROGRESS).first()
    if run is not None:
        raise AlreadyRunning(
            f"run #{run.number} of '{tree.name}' is active: cancel it or wait for its end", run_id=run.pk
        )
    return tree


@transaction.atomic
def tree_delete(*, user: User, tree_id: int) -> None:
    """The tree, its tasks, runs and events are gone. Raises NotFound, Forbidden, AlreadyRunning, Conflict.

    Conflict: the tree is archived, or tasks of other trees are links to its tasks.
    Effects: one DELETE per table, whatever the size; copies stay and lose their lineage, originals `has_references`.
    """
    lock_families([tree_for_write(user, tree_id).pk], copies=True)
    tree = tree_for_edit(user, tree_id)
    links = Task.objects.filter(linked_attempt__task__tree=tree).exclude(tree=tree)
    if holder := links.select_related("tree").first():
        raise Conflict(f"'{holder.tree.name}' links to tasks of '{tree.name}': delete that tree first", code="linked")
    Task.objects.filter(original__tree=tree).exclude(tree=tree).update(original=None)
    _forget_references(tree)
    with connection.cursor() as cursor:
        for statement in DELETE_PARTS:
            cursor.execute(statement, [tree.pk])
    details = {"name": tree.name, "tasks": tree.task_count, "runs": tree.run_count, "owner": tree.owner_id}
    tree.delete()
    audit.act(actor=user, action="tree.delete", target=f"tree:{tree_id}", details=details)


def _forget_references(tree: Tree) -> None:
    """The originals that only *tree* was made from have no references any more."""
    others = Task.objects.filter(original=OuterRef("pk")).exclude(tree=tree)
    originals = Task.objects.filter(tree=tree).exclude(original=None).values("original")
    frozen = Tree.objects.exclude(archived_at=None)
    known = Task.objects.filter(pk__in=originals, has_references=True).exclude(tree=tree).exclude(tree__in=frozen)
    known.filter(~Exists(others)).update(has_references=False)
