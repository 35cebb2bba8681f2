"""In which order a transaction locks rows, so that no two ever wait for each other. SQLite has one lock for all.

1. what the request itself has: its idempotency key, its throttle, its bulk operation, its webhook
2. trees, by id: whoever changes a definition, starts a run, or makes or unmakes the origin of tasks elsewhere
3. runs, by id: whoever changes the state of tasks; the engine takes all active ones at once and never a tree
4. everything that belongs to these: tasks, attempts, dependencies, events, drafts; not to be changed without 2 or 3
5. the head of the audit log, at the very end

Whoever waited looks again: what was read before may have been changed or deleted meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from orchestration.domain.errors import NotFound
from orchestration.domain.states import Status
from orchestration.models import Run, Task, Tree

# no_key: rows that only refer to a locked one may be written meanwhile


def lock_tree(tree_id: int) -> Tree:
    """The tree as it is now, locked until the transaction ends. Raises NotFound."""
    tree = Tree.objects.select_for_update(no_key=True).filter(pk=tree_id).first()
    if tree is None:
        raise NotFound(f"no tree {tree_id}")
    return tree


def lock_tree_of(task_id: UUID | str) -> Tree:
    """`lock_tree` of the task's tree."""
    tree_id = Task.objects.filter(pk=task_id).values_list("tree_id", flat=True).first()
    if tree_id is None:
        raise NotFound(f"no task {task_id}")
    return lock_tree(tree_id)


def lock_run(run_id: int) -> Run:
    """The run as it is now, locked until the transaction ends. Raises NotFound."""
    run = Run.objects.select_for_update(no_key=True).filter(pk=run_id).first()
    if run is None:
        raise NotFound(f"no run {run_id}")
    return run


def lock_active_run(tree_id: int) -> Run | None:
    """The active run of the tree, locked until the transaction ends; None when there is none."""
    return Run.objects.select_for_update(no_key=True).filter(tree=tree_id, status=Status.IN_PROGRESS.value).first()


def lock_families(tree_ids: Iterable[int], *, copies: bool) -> None:
    """The trees, those that their tasks were made from, with *copies* those that were made from them; and what runs of
    them. Their tasks can be changed then, in any order. Effects: locks until the transaction ends."""
    if not connection.features.has_select_for_update:
        return
    wanted = set(tree_ids)
    family = _families(wanted, copies=copies)
    while True:
        savepoint = transaction.savepoint_create()
        list(Tree.objects.select_for_update(no_key=True).filter(pk__in=family).order_by("pk").values_list("pk"))
        grown = _families(wanted, copies=copies)
        if grown <= family:
            break
        transaction.savepoint_rollback(savepoint)  # one was made while we waited: give all back, take all in order
        family = grown
    transaction.savepoint_commit(savepoint)
    active = Run.objects.filter(tree__in=family, status=Status.IN_PROGRESS.value)
    list(active.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _families(tree_ids: set[int], *, copies: bool) -> set[int]:
    made = Task.objects.filter(tree__in=tree_ids).exclude(original__isnull=True)
    found = tree_ids.union(made.order_by().values_list("original__tree", flat=True).distinct())
    if copies:
        from_these = Task.objects.filter(original__tree__in=tree_ids).order_by().values("tree")
        trees = Tree.objects.filter(Q(original__in=tree_ids) | Q(pk__in=from_these))
        found.update(trees.values_list("pk", flat=True))
    return found
