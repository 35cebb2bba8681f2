"""Archives: frozen snapshots with state, results and times."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from orchestration.builders.clone import Clone, choose, clone, read_source, require_all, require_completed
from orchestration.builders.preview import ClonePreview, preview
from orchestration.domain.states import TERMINAL, Origin
from orchestration.models import Tree
from orchestration.selectors.lineage import SourceTask
from orchestration.services.transitions_snapshot import clone_create

UNCOMPLETED = "only a fully completed task or tree can be archived, or, if you ask for it, a finished one"
UNFINISHED = "only a finished task or tree can be archived"


@transaction.atomic
def tree_archive(*, user: User, task_id: UUID | str, recursive: bool = True, finished: bool = False) -> Tree:
    """A new, frozen tree of *user*: the task and what is under it (*recursive* False: it alone) as they are now.

    *finished*: failed, cancelled and blocked tasks are fine too. The result, resolved inputs and log of each newest
    attempt are copied into one ended run, so they outlive the original; events are not. Links become real snapshots.
    Raises NotFound, Forbidden (no role), Conflict (something is not completed, or not finished).
    Effects: one tree that the database refuses to change; `has_references` of the originals.
    """
    made = _archive(user, task_id, recursive, finished, lock=True)
    return clone_create(owner=user, source=made.source.tree, origin=made.origin, tasks=made.tasks, edges=made.edges)


def preview_archive(*, user: User, task_id: UUID | str, recursive: bool = True, finished: bool = False) -> ClonePreview:
    """What `tree_archive` would make; raises like it and stores nothing."""
    return preview(_archive(user, task_id, recursive, finished, lock=False))


def _archive(user: User, task_id: UUID | str, recursive: bool, finished: bool, *, lock: bool) -> Clone:
    source = read_source(user=user, task_id=task_id, lock=lock)
    why = choose(source, recursive=recursive)
    if finished:
        require_all(source, why, _is_finished, UNFINISHED)
    else:
        require_completed(source, why, UNCOMPLETED)
    return clone(source, Origin.ARCHIVE, why, role=lambda _: Origin.ARCHIVE)


def _is_finished(task: SourceTask) -> bool:
    return task.blocked or task.status in TERMINAL
