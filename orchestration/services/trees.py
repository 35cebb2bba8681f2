"""Creating, naming, editing and deleting trees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from orchestration.domain.spec import TaskSpec, TreeSpec
from orchestration.domain.states import Origin
from orchestration.models import Dependency, Task, Tree
from orchestration.services.rows import db_json, db_time, db_uuid, insert_rows

TASK_FIELDS = (
    "id", "tree", "parent", "position", "depth", "name", "executor", "priority", "inputs", "params", "schemas",
    "timeout_s", "max_attempts", "backoff", "origin_type", "original", "created_at", "updated_at",
)  # fmt: skip
DEPENDENCY_FIELDS = ("task", "depends_on", "position", "required", "map", "as_key")


@transaction.atomic
def tree_create(
    *,
    owner: User,
    spec: TreeSpec,
    labels: Iterable[str] = (),
    origin: Origin = Origin.CREATE,
    original: Tree | None = None,
    originals: Mapping[str, str] | None = None,
) -> Tree:
    """The new tree of *owner*. *originals*: new task id -> id of the task that it was made from (both 32 hex digits).

    Effects: three inserts in one transaction, whatever the size. *spec* is trusted: make it with a builder.
    """
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
    insert_rows(Task, TASK_FIELDS, _task_rows(spec.tasks, tree.pk, now, origin, originals or {}))
    insert_rows(Dependency, DEPENDENCY_FIELDS, _dependency_rows(spec.tasks))
    return tree


def _task_rows(
    tasks: Sequence[TaskSpec], tree_id: int, now: datetime, origin: Origin, originals: Mapping[str, str]
) -> list[tuple[Any, ...]]:
    stamp = db_time(now)
    depths: dict[str | None, int] = {None: -1}
    rows = []
    for position, task in enumerate(tasks):
        depth = depths[task.id] = depths[task.parent_id] + 1
        rows.append((
            db_uuid(task.id), tree_id, db_uuid(task.parent_id), position, depth, task.name, task.executor,
            task.priority, db_json(task.inputs), db_json(task.params), db_json(task.schemas), task.timeout_s,
            task.max_attempts, db_json(task.backoff), origin.value, db_uuid(originals.get(task.id)), stamp, stamp,
        ))  # fmt: skip
    return rows


def _dependency_rows(tasks: Sequence[TaskSpec]) -> list[tuple[Any, ...]]:
    return [
        (
            db_uuid(task.id),
            db_uuid(edge.id),
            position,
            edge.required,
            None if edge.map is None else db_json(edge.map),
            edge.as_key,
        )
        for task in tasks
        for position, edge in enumerate(task.dependencies)
    ]
