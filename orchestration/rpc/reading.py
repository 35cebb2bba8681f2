"""Methods that only look."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet

from orchestration.domain.errors import NotFound
from orchestration.domain.states import Status
from orchestration.models import Run
from orchestration.rpc.params import MAX_LIST, Params, invalid
from orchestration.rpc.payload import one_task, payload, payloads, tasks_for
from orchestration.selectors.access import runs_for_read

LIMIT = 100


def get(user: Any, params: Params) -> Any:
    """A task. Raises NotFound, Invalid."""
    return payload(one_task(user, params.task_id()))


def listed(user: Any, params: Params) -> Any:
    """Tasks, newest first."""
    tasks = _of_user(tasks_for(user), params)
    if params.flag("root_only", True):
        tasks = tasks.filter(parent=None)
    if "status" in params:
        tasks = tasks.filter(shown=_status(params.any("status"), "status"))
    first, limit = params.whole("offset", 0), params.whole("limit", LIMIT, at_most=MAX_LIST)
    return payloads(tasks.order_by("-tree_id", "position")[first : first + limit])


def count(user: Any, params: Params) -> Any:
    """How many tasks there are of each status."""
    root_only = params.flag("root_only", False)
    tasks = _of_user(tasks_for(user), params)
    if root_only:
        tasks = tasks.filter(parent=None)
    rows = tasks.select_related(None).order_by().values_list("shown").annotate(n=Count("pk"))
    found = dict(rows)
    wanted = [_status(s, "statuses") for s in _statuses(params.any("statuses"))]
    counts: dict[str, Any] = {status: found.get(status, 0) for status in wanted}
    counts["total"] = sum(counts.values())
    if "user_id" in params:
        counts["user_id"] = params.text("user_id")
    return counts | ({"root_only": True} if root_only else {})


def tree(user: Any, params: Params) -> Any:
    """A task with all that is under it."""
    top = one_task(user, params.task_id("task_id", "root_id"))
    rows = payloads(tasks_for(user).filter(tree=top.tree_id, position__gte=top.position).order_by("position"))
    nodes: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["parent_id"] in nodes or not nodes:
            node = nodes[row["id"]] = {"task": row, "children": []}
            if node is not nodes[str(top.pk)]:
                nodes[row["parent_id"]]["children"].append(node)
    return nodes[str(top.pk)]


def children(user: Any, params: Params) -> Any:
    """The tasks directly under one, urgent ones first."""
    parent = one_task(user, params.task_id("parent_id", "task_id"))
    return payloads(tasks_for(user).filter(parent=parent.pk).order_by("priority", "position"))


def running_list(user: Any, params: Params) -> Any:
    """The root tasks of trees that are being run."""
    roots = _of_user(tasks_for(user), params).filter(parent=None, tree__in=_active(user).values("tree"))
    return payloads(roots.order_by("-tree_id")[: params.whole("limit", LIMIT, at_most=MAX_LIST)])


def running_count(user: Any, params: Params) -> Any:
    """How many trees are being run."""
    runs, name = _active(user), params.text("user_id")
    if name is None:
        return {"count": runs.count()}
    return {"count": runs.filter(tree__owner__username=name).count(), "user_id": name}


def running_status(user: Any, params: Params) -> Any:
    """How some tasks are; also of those that are not there."""
    wanted = params.ids("task_ids", "context_ids", "task_id")
    if not wanted:
        raise invalid("task_ids", "is required: the ids of tasks", "required")
    return [_running(user, task_id) for task_id in wanted]


def _running(user: Any, task_id: str) -> dict[str, Any]:
    try:
        task = payload(one_task(user, task_id))
    except NotFound:
        nothing = dict.fromkeys(("error", "started_at", "updated_at"))
        found = {"task_id": task_id, "context_id": task_id, "status": "not_found", "progress": 0.0, "is_running": False}
        return found | nothing
    shown = {key: task[key] for key in ("status", "progress", "error", "started_at", "updated_at")}
    running = task["status"] == Status.IN_PROGRESS
    return {"task_id": task["id"], "context_id": task["id"], "is_running": running, **shown}


def _active(user: Any) -> QuerySet[Run]:
    return runs_for_read(user).filter(status=Status.IN_PROGRESS)


def _of_user(tasks: QuerySet[Any], params: Params) -> QuerySet[Any]:
    name = params.text("user_id")
    return tasks if name is None else tasks.filter(tree__owner__username=name)


def _statuses(given: Any) -> list[Any]:
    if given is None:
        return list(Status)
    return given if isinstance(given, list) else [given]


def _status(value: Any, field: str) -> str:
    if value not in list(Status):
        raise invalid(field, f"unknown status: use one of {', '.join(Status)}", "invalid_choice")
    return Status(value).value
