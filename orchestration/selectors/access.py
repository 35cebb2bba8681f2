"""Who may see or do what: every look-up by id goes through here. A stranger's object is NotFound, never Forbidden."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import Model, Q, QuerySet

from orchestration.domain.errors import Forbidden, NotFound
from orchestration.models import Run, Task, Tree, TreeShare

AnyUser = User | AbstractBaseUser | AnonymousUser


def _sees_all(user: Any) -> bool:
    return bool(user.is_active and user.is_staff)


def trees_for_read(user: Any) -> QuerySet[Tree]:
    """The trees that *user* owns or that are shared with them; all of them for staff, none for the anonymous."""
    if not user.is_authenticated or not user.is_active:
        return Tree.objects.none()
    if _sees_all(user):
        return Tree.objects.all()
    shared = TreeShare.objects.filter(user=user).values("tree_id")
    return Tree.objects.filter(Q(owner=user) | Q(pk__in=shared))


def runs_for_read(user: Any) -> QuerySet[Run]:
    """The runs of `trees_for_read`."""
    if user.is_authenticated and _sees_all(user):
        return Run.objects.all()
    return Run.objects.filter(tree__in=trees_for_read(user))


def tree_for_read(user: Any, tree_id: int) -> Tree:
    """The tree, for looking at. Raises NotFound."""
    return _one(trees_for_read(user).select_related("owner"), tree_id, "tree")


def tree_for_run(user: Any, tree_id: int) -> Tree:
    """The tree, for running and cancelling. Raises NotFound, Forbidden (no role, or shared for viewing only)."""
    tree = tree_for_read(user, tree_id)
    _require(user, "orchestration.run_tree", "run trees")
    if tree.owner_id != user.pk and not user.is_superuser:
        share = TreeShare.objects.filter(tree=tree, user=user, right=TreeShare.RUN)
        if not share.exists():
            raise Forbidden("this tree is shared with you for viewing only: ask its owner for the right to run it")
    return tree


def tree_for_write(user: Any, tree_id: int) -> Tree:
    """The tree, for editing and deleting. Raises NotFound, Forbidden (no role, or not the owner)."""
    tree = tree_for_read(user, tree_id)
    _require(user, "orchestration.change_tree", "edit trees")
    if tree.owner_id != user.pk and not user.is_superuser:
        raise Forbidden("only the owner may edit a tree: copy it to get one of your own")
    return tree


def require_create(user: Any) -> None:
    """Raises Forbidden unless *user* may create trees."""
    _require(user, "orchestration.add_tree", "create trees")


def run_for_read(user: Any, run_id: int) -> Run:
    """The run with its tree, for looking at. Raises NotFound."""
    return _one(runs_for_read(user).select_related("tree", "started_by", "cancelled_by", "retry_of"), run_id, "run")


def run_for_run(user: Any, run_id: int) -> Run:
    """The run, for cancelling and re-executing. Raises NotFound, Forbidden."""
    run = run_for_read(user, run_id)
    tree_for_run(user, run.tree_id)
    return run


def task_for_read(user: Any, task_id: UUID | str) -> Task:
    """The task with its tree and run, for looking at. Raises NotFound."""
    tasks = Task.objects.filter(tree__in=trees_for_read(user)).select_related("tree", "run", "blocked_by")
    return _one(tasks, task_id, "task")


def task_for_run(user: Any, task_id: UUID | str) -> Task:
    """The task, for cancelling and re-executing. Raises NotFound, Forbidden."""
    task = task_for_read(user, task_id)
    tree_for_run(user, task.tree_id)
    return task


def _one[M: Model](queryset: QuerySet[M], pk: Any, noun: str) -> M:
    try:
        return queryset.get(pk=pk)
    except (ObjectDoesNotExist, ValidationError, ValueError, OverflowError):
        raise NotFound(f"no {noun} {pk}") from None


def _require(user: Any, permission: str, what: str) -> None:
    if not user.has_perm(permission):
        raise Forbidden(f"your role does not allow you to {what}: ask an administrator for the operator role")
