"""Mixed trees: some tasks are links to finished work, all others are copies that run with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from orchestration.builders.clone import Clone, choose, clone, read_source, require_completed, require_own
from orchestration.builders.overrides import Overrides, read_id, read_overrides
from orchestration.builders.preview import ClonePreview, preview
from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.json_gate import safe_text
from orchestration.domain.states import Origin
from orchestration.models import Tree
from orchestration.services.transitions_snapshot import clone_create

UNFINISHED = "only completed tasks can be linked"


@transaction.atomic
def tree_mixed(
    *,
    user: User,
    task_id: UUID | str,
    link_ids: Iterable[UUID | str],
    recursive: bool = True,
    include_upstream: bool = True,
    include_dependents: bool = False,
    overrides: Overrides | None = None,
) -> Tree:
    """As `tree_copy`, but the tasks in *link_ids* become links: their results are used, they do not run.

    What only links wait for is not brought in from outside the subtree. *overrides* are for the copies.
    Raises NotFound, Forbidden (no role, or shared by another user), Invalid (link_ids, overrides), Conflict (a task to
    link is not completed). Effects: as of `tree_copy`.
    """
    given = list(link_ids)
    made = _mixed(user, task_id, given, recursive, include_upstream, include_dependents, overrides, lock=True)
    source = made.source.tree
    return clone_create(
        owner=user, source=source, origin=made.origin, tasks=made.tasks, edges=made.edges, action="tree.mixed"
    )


def preview_mixed(
    *,
    user: User,
    task_id: UUID | str,
    link_ids: Iterable[UUID | str],
    recursive: bool = True,
    include_upstream: bool = True,
    include_dependents: bool = False,
    overrides: Overrides | None = None,
) -> ClonePreview:
    """What `tree_mixed` would make; raises like it and stores nothing."""
    given = list(link_ids)
    return preview(_mixed(user, task_id, given, recursive, include_upstream, include_dependents, overrides, lock=False))


def _mixed(
    user: User,
    task_id: UUID | str,
    link_ids: list[Any],
    recursive: bool,
    include_upstream: bool,
    include_dependents: bool,
    overrides: Overrides | None,
    *,
    lock: bool,
) -> Clone:
    source = read_source(user=user, task_id=task_id, lock=lock)
    require_own(source, user)
    links = {read_id(value) for value in link_ids}
    why = choose(
        source,
        recursive=recursive,
        include_upstream=include_upstream,
        include_dependents=include_dependents,
        links=links,
    )
    _check_links(link_ids, why)
    require_completed(source, [task for task in why if task in links], UNFINISHED)
    changes = read_overrides(overrides, why.keys() - links)
    return clone(
        source,
        _origin(why, links),
        why,
        role=lambda task: Origin.LINK if task in links else Origin.COPY,
        changes=changes,
    )


def _origin(why: dict[str, str], links: set[str]) -> Origin:
    return Origin.LINK if links.issuperset(why) else Origin.COPY


def _check_links(link_ids: list[Any], why: dict[str, str]) -> None:
    if not link_ids:
        raise Invalid([Problem("link_ids", "name at least one completed task to link, or make a copy", "required")])
    problems = [
        Problem(f"link_ids[{index}]", f"no task '{safe_text(str(value), 40)}' in what is copied", "unknown_task")
        for index, value in enumerate(link_ids)
        if read_id(value) not in why
    ]
    if problems:
        raise Invalid(problems)
