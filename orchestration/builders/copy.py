"""Copies: independent trees that start from the beginning."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from orchestration.builders.clone import Clone, choose, clone, read_source
from orchestration.builders.overrides import Overrides, read_overrides
from orchestration.builders.preview import ClonePreview, preview
from orchestration.domain.states import Origin
from orchestration.models import Tree
from orchestration.services.executor_rights import check_written
from orchestration.services.transitions_snapshot import clone_create


@transaction.atomic
def tree_copy(
    *,
    user: User,
    task_id: UUID | str,
    recursive: bool = True,
    include_upstream: bool = True,
    include_dependents: bool = False,
    overrides: Overrides | None = None,
) -> Tree:
    """A new tree of *user*: the task and what is under it, all pending, with new ids.

    *recursive* False: that task alone, without dependencies. *include_upstream*: also what these wait for outside the
    subtree, each once, put under the new root; *include_dependents*: also what waits for them. *overrides*: task id ->
    {name, inputs, params, priority, timeout_s, max_attempts, backoff, executor}.
    Raises NotFound, Forbidden (no role), Invalid (overrides). Effects: one tree; `has_references` of the originals.
    """
    made = _copy(user, task_id, recursive, include_upstream, include_dependents, overrides, lock=True)
    return clone_create(owner=user, source=made.source.tree, origin=made.origin, tasks=made.tasks, edges=made.edges)


def preview_copy(
    *,
    user: User,
    task_id: UUID | str,
    recursive: bool = True,
    include_upstream: bool = True,
    include_dependents: bool = False,
    overrides: Overrides | None = None,
) -> ClonePreview:
    """What `tree_copy` would make; raises like it and stores nothing."""
    return preview(_copy(user, task_id, recursive, include_upstream, include_dependents, overrides, lock=False))


def _copy(
    user: User,
    task_id: UUID | str,
    recursive: bool,
    include_upstream: bool,
    include_dependents: bool,
    overrides: Overrides | None,
    *,
    lock: bool,
) -> Clone:
    source = read_source(user=user, task_id=task_id, lock=lock)
    why = choose(source, recursive=recursive, include_upstream=include_upstream, include_dependents=include_dependents)
    changes = read_overrides(overrides, why)
    check_written(user, {values["executor"] for values in changes.values() if "executor" in values})
    return clone(source, Origin.COPY, why, role=lambda _: Origin.COPY, changes=changes)
