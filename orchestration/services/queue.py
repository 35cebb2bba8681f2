"""Say who goes first: the priority of a task, how many tasks of a tree run at a time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from orchestration.domain.errors import AlreadyFinished, Conflict, Invalid, Problem
from orchestration.domain.states import TERMINAL, Status
from orchestration.models import Task, Tree
from orchestration.publishing import nudge
from orchestration.selectors import access
from orchestration.services import audit, transitions_verbs
from orchestration.services.locking import lock_active_run, lock_tree

PRIORITIES = range(4)
MAX_PARALLEL = 10_000


def task_prioritise(*, user: Any, task_id: UUID | str, priority: int) -> Task:
    """The task with another priority, at once also in the queue of a run that is under way.

    Raises NotFound, Forbidden, Invalid (priority is not 0..3), AlreadyFinished (it has started or ended in the active
    run), Conflict (archived). Effects: the task row, an event and a nudge when a run is active.
    """
    if isinstance(priority, bool) or priority not in PRIORITIES:
        raise Invalid([Problem("priority", "use 0 urgent, 1 high, 2 normal or 3 low", "out_of_range")])
    with transaction.atomic():
        tree_id = access.task_for_run(user, task_id).tree_id
        lock_tree(tree_id)
        run = lock_active_run(tree_id)
        task = access.task_for_run(user, task_id)  # as it is now
        if task.tree.archived_at is not None:
            raise Conflict("an archive is frozen: copy it to change it", code="archived")
        if run is not None and task.run_id == run.pk and (task.status in TERMINAL or task.status == Status.IN_PROGRESS):
            raise AlreadyFinished(f"task '{task.name}' is {task.status.replace('_', ' ')} already: nothing to reorder")
        before = task.priority
        transitions_verbs.prioritise(task, priority, active=run is not None and task.run_id == run.pk)
        details = {"tree": tree_id, "before": before, "after": priority}
        audit.act(actor=user, action="task.priority", target=f"task:{task.pk}", details=details)
        if run is not None:
            nudge(run.pk)
    return task


def tree_limit(*, user: Any, tree_id: int, max_parallel: int) -> Tree:
    """The tree with at most *max_parallel* attempts of a run at a time; 0 = as many as there are slots.

    Raises NotFound, Forbidden, Invalid. Holds from the next run, or from the next change of the active one.
    """
    if isinstance(max_parallel, bool) or not 0 <= max_parallel <= MAX_PARALLEL:
        raise Invalid([Problem("max_parallel", f"use a whole number 0..{MAX_PARALLEL}; 0 = no limit", "out_of_range")])
    with transaction.atomic():
        tree = lock_tree(access.tree_for_write(user, tree_id).pk)
        if tree.archived_at is not None:
            raise Conflict("an archive is frozen: copy it to change it", code="archived")
        details = {"before": tree.max_parallel, "after": max_parallel}
        tree.max_parallel = max_parallel
        tree.save(update_fields=["max_parallel"])
        audit.act(actor=user, action="tree.limit", target=f"tree:{tree.pk}", details=details)
    return tree
