"""Methods that start and stop work."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from orchestration.domain.errors import AlreadyFinished, AlreadyRunning, Forbidden, NotFound
from orchestration.domain.states import Mode, Status
from orchestration.models import Run, Task, Tree
from orchestration.rpc.params import Params, invalid
from orchestration.rpc.payload import one_task
from orchestration.rpc.writing import created
from orchestration.services.runs import MAX_REASON, run_cancel, run_start, task_cancel

CANCELLING = "cancelling"  # asked to stop, not confirmed yet


def execute(user: Any, params: Params) -> Any:
    """Start a run: of a stored tree, of a task with what it still needs, or of a new tree. It does not wait.

    Raises NotFound, Forbidden, Invalid, Conflict.
    """
    _refuse_options(params)
    if "tasks" in params:
        tree = created(user, params.any("tasks"))
        task = Task.objects.get(tree=tree, parent=None)
    else:
        task = one_task(user, params.task_id("task_id", "id"))
        tree = task.tree
    root = Task.objects.get(tree=tree, parent=None)
    about = {"protocol": "jsonrpc", "root_task_id": str(root.pk), "task_id": str(task.pk)}
    try:
        with transaction.atomic():
            run = _start(user, tree, task)
    except AlreadyRunning as active:
        return {
            "success": False,
            **about,
            "status": "already_running",
            "message": active.message,
            "run_id": active.run_id,
        }
    message = f"Task {task.pk} execution started"
    return {"success": True, **about, "status": "started", "message": message, "run_id": run.pk}


def _refuse_options(params: Params) -> None:
    if "webhook_config" in params:
        raise invalid("webhook_config", "this server sends no webhooks: poll, or use use_streaming", "unsupported")
    if params.flag("use_demo", False):
        raise invalid("use_demo", "there is no demo mode: use the executor 'simulate'", "unsupported")


def _start(user: Any, tree: Tree, task: Task) -> Run:
    if task.parent_id is None:
        return run_start(user=user, tree_id=tree.pk, mode=Mode.ALL)
    return run_start(user=user, tree_id=tree.pk, mode=Mode.ONLY, chosen=[task.pk])


def cancel(user: Any, params: Params) -> Any:
    """An outcome per task. The root of a tree stands for its run. Raises Invalid (no ids)."""
    wanted = params.ids("task_ids", "context_ids", "task_id", "id")
    if not wanted:
        raise invalid("task_ids", "is required: the ids of tasks", "required")
    force, reason = params.flag("force", False), (params.text("error_message") or "")[:MAX_REASON]
    return [{**_cancel(user, task_id, reason), "task_id": task_id, "force": force} for task_id in wanted]


def _cancel(user: Any, task_id: str, reason: str) -> dict[str, Any]:
    try:
        task = one_task(user, task_id)
        with transaction.atomic():
            stopped = _stop(user, task, reason)
    except NotFound:
        return _failed(f"Task {task_id} not found", error="Task not found")
    except AlreadyFinished as error:
        return _failed(error.message, current_status=task.status)
    except Forbidden as error:
        return _failed(error.message, error="Permission denied")
    if stopped:
        return {"status": Status.CANCELLED, "message": reason or "Task was cancelled"}
    return {"status": CANCELLING, "message": "Task was asked to stop", "cancel_requested": True}


def _stop(user: Any, task: Task, reason: str) -> bool:
    """Whether it has stopped already."""
    if task.parent_id is not None:
        return task_cancel(user=user, task_id=task.pk, reason=reason).status == Status.CANCELLED
    run = Run.objects.filter(tree=task.tree_id).order_by("-number").first()
    if run is None:
        raise AlreadyFinished(f"Task {task.pk} is not being run, cannot cancel")
    return run_cancel(user=user, run_id=run.pk, reason=reason).status == Status.CANCELLED


def _failed(message: str, **more: Any) -> dict[str, Any]:
    return {"status": Status.FAILED, "message": message, **more}
