"""Links: trees that show the results of others without having them."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from orchestration.builders.clone import Clone, choose, clone, read_source, require_completed, require_own
from orchestration.builders.preview import ClonePreview, preview
from orchestration.domain.states import Origin
from orchestration.models import Tree
from orchestration.services.transitions_snapshot import clone_create

UNFINISHED = "only a fully completed task or tree can be linked"


@transaction.atomic
def tree_link(*, user: User, task_id: UUID | str, recursive: bool = True) -> Tree:
    """A new tree of *user*: links to the task's newest attempt and to those under it (*recursive* False: to it alone).

    Links are completed from the start, never run, and stay on their attempt until link_move moves them.
    Raises NotFound, Forbidden (no role, or shared by another user), Conflict (something is not completed).
    Effects: one tree without runs or attempts; `has_references` of the originals.
    """
    made = _link(user, task_id, recursive, lock=True)
    return clone_create(owner=user, source=made.source.tree, origin=made.origin, tasks=made.tasks, edges=made.edges)


def preview_link(*, user: User, task_id: UUID | str, recursive: bool = True) -> ClonePreview:
    """What `tree_link` would make; raises like it and stores nothing."""
    return preview(_link(user, task_id, recursive, lock=False))


def _link(user: User, task_id: UUID | str, recursive: bool, *, lock: bool) -> Clone:
    source = read_source(user=user, task_id=task_id, lock=lock)
    require_own(source, user)
    why = choose(source, recursive=recursive)
    require_completed(source, why, UNFINISHED)
    return clone(source, Origin.LINK, why, role=lambda _: Origin.LINK)
