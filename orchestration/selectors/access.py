"""Who may see or do what: every look-up by id goes through here. A stranger's object is NotFound, never Forbidden."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import Model, Q, QuerySet

from orchestration.domain.errors import Forbidden, NotFound
from orchestration.domain.rights import CANCEL_ANY
from orchestration.models import Run, Task, Tree, TreeShare

AnyUser = User | AbstractBaseUser | AnonymousUser
type Seen = dict[int, tuple[Any, Tree]]

_seen: ContextVar[Seen | None] = ContextVar("seen_as_staff", default=None)


@contextmanager
def watching() -> Iterator[Seen]:
    """What is opened inside by the staff flag alone: tree id -> (user, tree). For the banner and the audit log."""
    seen: Seen = {}
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)


def seen_as_staff() -> list[Tree]:
    """The trees of others that the request under way has opened by the staff flag alone."""
    return [tree for _, tree in (_seen.get() or {}).values()]


def opened(user: Any, tree: Tree) -> None:
    """Note that *user* has opened the tree or something of it. Effects: as `watching` says."""
    seen = _seen.get()
    if seen is None or tree.pk in seen or tree.owner_id == user.pk or not sees_all(user):
        return
    if not TreeShare.objects.filter(tree=tree, user=user).exists():
        seen[tree.pk] = (user, tree)


def sees_all(user: Any) -> bool:
    """Whether *user* sees everybody's trees: staff does."""
    return bool(user.is_active and user.is_staff)


def _cancels_all(user: Any) -> bool:
    return sees_all(user) and bool(user.has_perm(f"orchestration.{CANCEL_ANY}"))


def trees_for_read(user: Any) -> QuerySet[Tree]:
    """The trees that *user* owns or that are shared with them; all of them for staff, none for the anonymous."""
    if not user.is_authenticated or not user.is_active:
        return Tree.objects.none()
    if sees_all(user):
        return Tree.objects.all()
    shared = TreeShare.objects.filter(user=user).values("tree_id")
    return Tree.objects.filter(Q(owner=user) | Q(pk__in=shared))


def runs_for_read(user: Any) -> QuerySet[Run]:
    """The runs of `trees_for_read`."""
    if user.is_authenticated and sees_all(user):
        return Run.objects.all()
    return Run.objects.filter(tree__in=trees_for_read(user))


def tasks_for_read(user: Any) -> QuerySet[Task]:
    """The tasks of `trees_for_read`."""
    if user.is_authenticated and sees_all(user):
        return Task.objects.all()
    return Task.objects.filter(tree__in=trees_for_read(user))


def tree_for_read(user: Any, tree_id: int) -> Tree:
    """The tree, for looking at. Raises NotFound."""
    tree = _one(trees_for_read(user).select_related("owner"), tree_id, "tree")
    opened(user, tree)
    return tree


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
    run = _one(runs_for_read(user).select_related("tree", "started_by", "cancelled_by", "retry_of"), run_id, "run")
    opened(user, run.tree)
    return run


def run_for_run(user: Any, run_id: int) -> Run:
    """The run, for re-executing. Raises NotFound, Forbidden."""
    run = run_for_read(user, run_id)
    tree_for_run(user, run.tree_id)
    return run


def run_for_cancel(user: Any, run_id: int) -> Run:
    """The run, for cancelling: staff with the right `cancel_any` may cancel any. Raises NotFound, Forbidden."""
    return run_for_read(user, run_id) if _cancels_all(user) else run_for_run(user, run_id)


def tree_for_cancel(user: Any, tree_id: int) -> Tree:
    """The tree, for cancelling its run: staff may cancel any. Raises NotFound, Forbidden."""
    return tree_for_read(user, tree_id) if _cancels_all(user) else tree_for_run(user, tree_id)


def task_for_read(user: Any, task_id: UUID | str) -> Task:
    """The task with its tree and run, for looking at. Raises NotFound."""
    tasks = tasks_for_read(user).select_related("tree", "run", "blocked_by")
    task = _one(tasks, task_id, "task")
    opened(user, task.tree)
    return task


def task_for_run(user: Any, task_id: UUID | str) -> Task:
    """The task, for re-executing and reordering. Raises NotFound, Forbidden."""
    task = task_for_read(user, task_id)
    tree_for_run(user, task.tree_id)
    return task


def task_for_cancel(user: Any, task_id: UUID | str) -> Task:
    """The task, for cancelling: staff may cancel any. Raises NotFound, Forbidden."""
    return task_for_read(user, task_id) if _cancels_all(user) else task_for_run(user, task_id)


def _one[M: Model](queryset: QuerySet[M], pk: Any, noun: str) -> M:
    try:
        return queryset.get(pk=pk)
    except (ObjectDoesNotExist, ValidationError, ValueError, OverflowError):
        raise NotFound(f"no {noun} {pk}") from None


def _require(user: Any, permission: str, what: str) -> None:
    if not user.has_perm(permission):
        raise Forbidden(f"your role does not allow you to {what}: ask an administrator for the operator role")
