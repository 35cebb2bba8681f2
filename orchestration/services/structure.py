"""Replacing the definition of a tree: tasks that stay keep their id, state and history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from orchestration.domain.errors import Conflict
from orchestration.domain.json_gate import safe_text
from orchestration.domain.spec import TaskSpec, TreeSpec
from orchestration.domain.states import Origin
from orchestration.models import Attempt, Dependency, Task, Tree
from orchestration.selectors.access import tree_for_write
from orchestration.services import audit
from orchestration.services.executor_rights import check_written
from orchestration.services.locking import lock_families
from orchestration.services.rows import db_time, db_uuid, db_uuids, insert_rows
from orchestration.services.trees import DEPENDENCY_FIELDS, TASK_FIELDS, dependency_rows, task_rows, tree_for_edit

IDS_PER_QUERY = 500
TOLD = 20  # ids of each kind of change that the audit log names
DEFINITION = (
    "name", "executor", "priority", "inputs", "params", "schemas", "timeout_s", "max_attempts", "backoff",
)  # fmt: skip
OUTLINE = ("parent_id", "position", "depth")
UPDATE = (
    "UPDATE orchestration_task SET parent_id = %s, position = %s, depth = %s, name = %s, executor = %s, priority = %s, "
    "inputs = %s, params = %s, schemas = %s, timeout_s = %s, max_attempts = %s, backoff = %s, "
    "version = version + 1, updated_at = %s WHERE id = %s"
)
FORGET_DEPENDENCIES = (
    "DELETE FROM orchestration_dependency WHERE task_id IN (SELECT id FROM orchestration_task WHERE tree_id = %s)"
)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a new definition does to a tree. Ids are 32 hex digits."""

    added: tuple[str, ...]
    changed: tuple[str, ...]  # other fields, place or dependencies
    removed: tuple[str, ...]
    kept: int  # tasks that stay as they are
    attempts: int  # of removed tasks: they go with them

    @property
    def any(self) -> bool:
        return bool(self.added or self.changed or self.removed)


type Edge = tuple[str, bool, dict[str, str] | None, str | None]


def tree_changes(tree: Tree, spec: TreeSpec) -> Changes:
    """What `tree_redefine` would do. Three queries, and one per 500 removed tasks."""
    stored = {task.pk.hex: task for task in Task.objects.filter(tree=tree)}
    edges: dict[str, list[Edge]] = {}
    for edge in Dependency.objects.filter(task__tree=tree).order_by("task_id", "position"):
        found = (edge.depends_on_id.hex, edge.required, edge.map, edge.as_key)
        edges.setdefault(edge.task_id.hex, []).append(found)
    fresh = {task.id: (task, place) for task, place in zip(spec.tasks, _places(spec), strict=True)}
    kept = [key for key in fresh if key in stored]
    changed = [key for key in kept if _differs(stored[key], edges.get(key, []), *fresh[key])]
    removed = [key for key in stored if key not in fresh]
    attempts = sum(Attempt.objects.filter(task__in=part).count() for part in _parts(removed))
    added = tuple(key for key in fresh if key not in stored)
    return Changes(added, tuple(changed), tuple(removed), len(kept) - len(changed), attempts)


@transaction.atomic
def tree_redefine(*, user: User, tree_id: int, version: int, spec: TreeSpec) -> Tree:
    """The tree with *spec* as its definition, if it still has *version* (then one higher).

    Tasks are matched by id. Raises NotFound, Forbidden, AlreadyRunning, Conflict (archived, changed meanwhile, an id of
    another tree, a link that would change, a removed task that others were made from).
    Effects: removed tasks and their attempts are gone, dependencies replaced; a few statements, whatever the size.
    *spec* is trusted: make it with a builder, with the ids of the tasks that stay.
    """
    lock_families([tree_for_write(user, tree_id).pk], copies=True)
    tree = tree_for_edit(user, tree_id)
    now = timezone.now()
    values = {"name": spec.name, "task_count": len(spec.tasks), "updated_at": now}
    if not Tree.objects.filter(pk=tree.pk, version=version).update(**values, version=F("version") + 1):
        message = f"'{tree.name}' was changed meanwhile: start over from what is saved now, or save this as a new tree"
        raise Conflict(message, code="stale_version", field="version")
    changes = tree_changes(tree, spec)
    concerned = {*changes.added, *changes.changed}
    check_written(user, {task.executor for task in spec.tasks if task.id in concerned})
    _check_added(changes.added)
    _check_links(tree, spec, changes)
    _remove(tree, changes.removed)
    rows = dict(zip((t.id for t in spec.tasks), task_rows(spec.tasks, tree.pk, now, Origin.CREATE, {}), strict=True))
    _update(tree, changes.changed, rows, now)
    insert_rows(Task, TASK_FIELDS, [rows[key] for key in changes.added])
    with connection.cursor() as cursor:
        cursor.execute(FORGET_DEPENDENCIES, [tree.pk])
    insert_rows(Dependency, DEPENDENCY_FIELDS, dependency_rows(spec.tasks))
    before = {"name": tree.name, "version": version, "tasks": tree.task_count}
    tree.refresh_from_db()
    after = {"name": tree.name, "version": tree.version, "tasks": tree.task_count}
    audit.act(actor=user, action="tree.redefine", target=f"tree:{tree.pk}", details=_told(changes, before, after))
    return tree


def _told(changes: Changes, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    kinds = {"added": changes.added, "changed": changes.changed, "removed": changes.removed}
    counts = {name: len(ids) for name, ids in kinds.items()}
    named = {f"{name}_ids": ids[:TOLD] for name, ids in kinds.items() if ids}
    return {**counts, **named, "before": before, "after": after}


def _places(spec: TreeSpec) -> Iterator[tuple[str | None, int, int]]:
    """(parent, position, depth) of each task."""
    depths: dict[str | None, int] = {None: -1}
    for position, task in enumerate(spec.tasks):
        depths[task.id] = depths[task.parent_id] + 1
        yield task.parent_id, position, depths[task.id]


def _differs(stored: Task, edges: list[Edge], spec: TaskSpec, place: tuple[str | None, int, int]) -> bool:
    parent = stored.parent_id.hex if stored.parent_id else None
    if (parent, stored.position, stored.depth) != place or _definition_differs(stored, spec):
        return True
    return edges != [(edge.id, edge.required, edge.map, edge.as_key) for edge in spec.dependencies]


def _definition_differs(stored: Task, spec: TaskSpec) -> bool:
    return any(getattr(stored, field) != getattr(spec, field) for field in DEFINITION)


def _parts(hex_ids: Iterable[str]) -> Iterator[list[Any]]:
    for part in batched(hex_ids, IDS_PER_QUERY):
        yield db_uuids(part)


def _check_added(added: tuple[str, ...]) -> None:
    for part in _parts(added):
        if taken := Task.objects.filter(pk__in=part).first():
            message = f"the id {taken.pk} belongs to a task of another tree: take it away, the task gets a new one"
            raise Conflict(message, code="id_taken")


def _check_links(tree: Tree, spec: TreeSpec, changes: Changes) -> None:
    """A link shows its original's definition; what others were made from stays."""
    fresh = {task.id: task for task in spec.tasks}
    for task in Task.objects.filter(tree=tree, linked_attempt__isnull=False):
        if task.pk.hex in fresh and _definition_differs(task, fresh[task.pk.hex]):
            message = f"'{safe_text(task.name, 64)}' is a link and shows the original's definition: copy it to edit it"
            raise Conflict(message, code="link")
    removed = set(changes.removed)
    for part in _parts(removed):
        links = Task.objects.filter(linked_attempt__task__in=part).exclude(tree=tree, pk__in=db_uuids(removed))
        if links.exists():
            raise Conflict("a task that you removed is linked from another task: keep it", code="linked")
        if source := Task.objects.filter(pk__in=part, has_references=True).first():
            message = f"copies or links were made from '{safe_text(source.name, 64)}': keep it, or delete those first"
            raise Conflict(message, code="has_references")


def _remove(tree: Tree, removed: tuple[str, ...]) -> None:
    for part in _parts(removed):
        _forget_references(tree, part)
        Task.objects.filter(tree=tree, blocked_by__in=part).exclude(pk__in=part).update(blocked_by=None)
        Task.objects.filter(original__in=part).filter(Q(tree=tree) | Q(tree__archived_at=None)).update(original=None)
    for part in _parts(removed):
        places = ", ".join(["%s"] * len(part))
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM orchestration_attempt WHERE task_id IN ({places})", part)  # noqa: S608
            cursor.execute(f"DELETE FROM orchestration_dependency WHERE task_id IN ({places})", part)  # noqa: S608
            cursor.execute(f"DELETE FROM orchestration_dependency WHERE depends_on_id IN ({places})", part)  # noqa: S608
    for part in _parts(removed):
        places = ", ".join(["%s"] * len(part))
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM orchestration_task WHERE id IN ({places})", part)  # noqa: S608


def _forget_references(tree: Tree, part: list[Any]) -> None:
    """The originals that only removed tasks were made from have no references any more."""
    others = Task.objects.filter(original=OuterRef("pk")).exclude(pk__in=part)
    originals = Task.objects.filter(pk__in=part).exclude(original=None).values("original")
    known = Task.objects.filter(pk__in=originals, has_references=True, tree__archived_at=None).exclude(tree=tree)
    known.filter(~Exists(others)).update(has_references=False)


def _update(tree: Tree, changed: tuple[str, ...], rows: dict[str, tuple[Any, ...]], now: datetime) -> None:
    """The old root first: at no moment there may be two roots."""
    root = Task.objects.filter(tree=tree, parent=None).values_list("pk", flat=True).first()
    order = sorted(changed, key=lambda key: root is None or key != root.hex)
    stamp = db_time(now)
    values = [(*rows[key][2:14], stamp, db_uuid(key)) for key in order]
    with connection.cursor() as cursor:
        cursor.executemany(UPDATE, values)
