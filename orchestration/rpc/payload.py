"""Tasks as the protocol shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from orchestration.domain.errors import NotFound
from orchestration.domain.states import Origin, Status
from orchestration.models import Attempt, Dependency, Run, Task
from orchestration.selectors.access import trees_for_read

PART = 500  # ids per query
IDLE: dict[str, Any] = {
    "schedule_type": None, "schedule_expression": None, "schedule_enabled": False, "schedule_start_at": None,
    "schedule_end_at": None, "next_run_at": None, "last_run_at": None, "max_runs": None, "run_count": 0,
    "lease_id": None, "lease_expires_at": None, "placement_constraints": None, "idempotency_key": None,
    "last_assigned_node": None,
}  # fmt: skip
"""Fields of the protocol that nothing stands behind here."""


@dataclass
class Around:
    """What a payload shows beside the task's own row."""

    edges: dict[UUID, list[dict[str, Any]]] = field(default_factory=dict)
    results: dict[UUID, Any] = field(default_factory=dict)
    parents: set[UUID] = field(default_factory=set)
    roots: dict[int, UUID] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)  # tree -> newest run


def tasks_for(user: Any) -> QuerySet[Any]:
    """The tasks that *user* may see, with `shown`: the root of several tasks stands for its tree, whose newest run says
    how it is; every other task shows its own status."""
    newest = Run.objects.filter(tree=OuterRef("tree_id"), number=OuterRef("tree__run_count"))
    of_tree = Coalesce(Subquery(newest.values("status")[:1]), F("status"), output_field=CharField())
    shown = Case(
        When(Q(parent=None, tree__task_count__gt=1), then=of_tree), default=F("status"), output_field=CharField()
    )
    tasks = Task.objects.filter(tree__in=trees_for_read(user)).annotate(shown=shown)
    return tasks.select_related("tree__owner", "blocked_by")


def one_task(user: Any, task_id: str) -> Task:
    """The task. Raises NotFound."""
    try:
        found: Task | None = tasks_for(user).filter(pk=UUID(task_id)).first()
    except ValueError:
        found = None
    if found is None:
        raise NotFound(f"Task {task_id[:64]} not found", field="task_id")
    return found


def payload(task: Task) -> dict[str, Any]:
    """One task of `tasks_for`."""
    return payloads([task])[0]


def payloads(tasks: Iterable[Task]) -> list[dict[str, Any]]:
    """Tasks of `tasks_for`, in their order. Six queries per 500 tasks."""
    found = []
    for part in batched(tasks, PART):
        around = _around(part)
        found += [_payload(task, around) for task in part]
    return found


def _around(tasks: tuple[Task, ...]) -> Around:
    ids, trees = [task.pk for task in tasks], {task.tree_id for task in tasks}
    around = Around()
    for edge in Dependency.objects.filter(task__in=ids).order_by("task_id", "position"):
        around.edges.setdefault(edge.task_id, []).append(_dependency(edge))
    own = Attempt.objects.filter(task__in=ids, number=F("task__attempt"), status=Status.COMPLETED)
    around.results = dict(own.values_list("task_id", "result"))
    linked = {task.linked_attempt_id for task in tasks if task.linked_attempt_id}
    shown = dict(Attempt.objects.filter(pk__in=linked).values_list("pk", "result"))
    around.results |= {task.pk: shown.get(task.linked_attempt_id) for task in tasks if task.linked_attempt_id}
    around.parents = set(Task.objects.filter(parent__in=ids).order_by().values_list("parent_id", flat=True).distinct())
    around.roots = dict(Task.objects.filter(tree__in=trees, parent=None).values_list("tree_id", "pk"))
    newest = Run.objects.filter(tree__in=trees, number=F("tree__run_count"))
    around.runs = {run.tree_id: run for run in newest}
    return around


def _payload(task: Task, around: Around) -> dict[str, Any]:
    status = Status(task.shown)  # type: ignore[attr-defined]
    run = around.runs.get(task.tree_id) if task.parent_id is None and task.tree.task_count > 1 else None
    return {
        "id": str(task.pk),
        "parent_id": None if task.parent_id is None else str(task.parent_id),
        "task_tree_id": str(around.roots[task.tree_id]),
        "user_id": task.tree.owner.get_username(),
        "name": task.name,
        "status": status,
        "priority": task.priority,
        "dependencies": around.edges.get(task.pk, []),
        "inputs": task.inputs,
        "params": _params(task),
        "result": around.results.get(task.pk) if task.status == Status.COMPLETED else None,
        "error": _error(task, run),
        "schemas": task.schemas,
        "progress": task.progress if run is None else _progress(run),
        "created_at": _time(task.created_at),
        "started_at": _time(task.started_at if run is None else run.started_at),
        "updated_at": _time(task.updated_at),
        "completed_at": _time(task.completed_at if run is None else run.completed_at),
        "has_children": task.pk in around.parents,
        "original_task_id": None if task.original_id is None else str(task.original_id),
        "origin_type": Origin(task.origin_type),
        "has_references": task.has_references,
        "attempt_id": task.attempt,
        **IDLE,
    }


def _params(task: Task) -> dict[str, Any]:
    """With the executor, which the protocol knows only in here."""
    params: dict[str, Any] = dict(task.params)
    if task.executor and (task.schemas or {}).get("method") is None:
        params.setdefault("executor_id", task.executor)
    return params


def _error(task: Task, run: Run | None) -> str | None:
    if task.error is not None:
        return task.error
    if run is not None and run.status in (Status.FAILED, Status.CANCELLED):
        return (
            run.reason or f"{run.failed} failed, {run.cancelled} cancelled, {run.blocked} blocked of {run.total} tasks"
        )
    if task.blocked_by_id is not None:
        name = task.blocked_by.name if task.blocked_by else ""
        return f"Blocked: '{name}' did not complete"
    return None


def _progress(run: Run) -> float:
    if run.status == Status.COMPLETED:
        return 1.0
    return round((run.completed + run.failed + run.cancelled + run.blocked) / run.total, 2) if run.total else 0.0


def _dependency(edge: Dependency) -> dict[str, Any]:
    found: dict[str, Any] = {"id": str(edge.depends_on_id), "required": edge.required, "type": "result"}
    if edge.map is not None:
        found["map"] = edge.map
    if edge.as_key is not None:
        found["as"] = edge.as_key
    return found


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
