"""From a tree of records to a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from orchestration.domain.errors import Conflict, NotFound
from orchestration.domain.states import Mode, Status
from orchestration.manager.assemble import spec_of
from orchestration.manager.reads import stored_task
from orchestration.manager.records import TaskTreeNode
from orchestration.manager.session import Session, dashed
from orchestration.manager.users import user_named
from orchestration.models import Task
from orchestration.selectors.access import require_create
from orchestration.services.runs import run_start, task_cancel
from orchestration.services.trees import tree_create


@dataclass(frozen=True, slots=True)
class Started:
    tree_id: int
    run_id: int | None  # None: every task had completed already, so nothing runs
    stored: frozenset[str] = frozenset()  # ids (32 hex digits) of the drafts that were stored


@transaction.atomic
def start(session: Session, root: TaskTreeNode, user: User | None) -> Started:
    """A run of the tree: stored now if it is new, else what is left of it.

    Raises Invalid, Conflict (drafts without executor, archive), AlreadyRunning, Forbidden, NotFound; then nothing is
    stored and the session is as before.
    """
    if root.task.id in session.drafts:
        return _start_new(session, root, user or user_named(root.task.user_id))
    return _start_again(root, user)


def _start_new(session: Session, root: TaskTreeNode, owner: User) -> Started:
    require_create(owner)
    spec = spec_of(session, root)
    tree = tree_create(owner=owner, spec=spec)
    run = run_start(user=owner, tree_id=tree.pk)
    cancelled = [r for r in session.drafts.values() if r.status == Status.CANCELLED]
    members = frozenset(task.id for task in spec.tasks)
    for record in cancelled:
        if record.id.replace("-", "") in members:
            task_cancel(user=owner, task_id=record.id, reason=record.error or "")
    return Started(tree.pk, run.pk, members)


def _start_again(root: TaskTreeNode, user: User | None) -> Started:
    stored = stored_task(root.task.id)
    if stored is None:
        raise NotFound(f"no task {root.task.id}: it was created in another session, or deleted")
    ids = [node.task.id for node in root.walk()]
    if Task.objects.filter(tree=stored.tree_id, pk__in=ids).count() != len(ids):
        raise Conflict(f"the tree of '{stored.name}' is stored and does not grow: create the tasks anew, or copy it")
    if not Task.objects.filter(tree=stored.tree_id).exclude(status=Status.COMPLETED).exists():
        return Started(stored.tree_id, None)
    run = run_start(user=user or stored.tree.owner, tree_id=stored.tree_id, mode=Mode.FAILED)
    return Started(stored.tree_id, run.pk)


def cancel(session: Session, task_id: Any, reason: str, *, subtree: bool, user: User | None) -> dict[str, Any]:
    """What TaskManager.cancel_task answers."""
    draft = session.drafts.get(dashed(task_id))
    if draft is not None and draft.status == Status.PENDING:
        draft.cancel(reason)
        return {"status": Status.CANCELLED, "message": f"Task {task_id} was cancelled before it was started"}
    if draft is not None:
        return _finished(task_id, draft.status)
    return _cancel_stored(task_id, reason, subtree=subtree, user=user)


def _cancel_stored(task_id: Any, reason: str, *, subtree: bool, user: User | None) -> dict[str, Any]:
    stored = stored_task(task_id)
    if stored is None:
        return {"status": Status.FAILED, "message": f"Task {task_id} not found", "error": "Task not found"}
    try:
        task = task_cancel(user=user or stored.tree.owner, task_id=stored.pk, reason=reason, subtree=subtree)
    except Conflict:
        return _finished(task_id, Status(stored.status))
    if task.status == Status.CANCELLED:
        return {"status": Status.CANCELLED, "message": f"Task {task_id} was cancelled"}
    return {"status": "cancelling", "message": f"Task {task_id} was asked to stop"}


def _finished(task_id: Any, status: Status) -> dict[str, Any]:
    state = f"already {status}" if status != Status.PENDING else "not part of an active run"
    message = f"Task {task_id} is {state}, cannot cancel"
    return {"status": Status.FAILED, "message": message, "current_status": status}
