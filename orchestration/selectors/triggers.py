"""Reads about triggers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from orchestration.domain.errors import NotFound
from orchestration.models import Task, Tree, Trigger


def triggers_of(tree: Tree) -> list[Trigger]:
    """The triggers of the tree, by name."""
    return list(Trigger.objects.filter(tree=tree).order_by("name"))


def trigger_of(tree: Tree, trigger_id: int) -> Trigger:
    """The trigger of that tree. Raises NotFound."""
    try:
        found = Trigger.objects.filter(tree=tree, pk=trigger_id).first()
    except OverflowError:
        found = None
    if found is None:
        raise NotFound(f"no trigger {trigger_id}")
    found.tree = tree
    return found


def trigger_named(public_id: str) -> Trigger | None:
    """The trigger with that public id, its tree and the tree's owner."""
    if not public_id or len(public_id) > 32:
        return None
    return Trigger.objects.select_related("tree__owner").filter(public_id=public_id).first()


def working_tasks(tree: Tree, most: int) -> list[tuple[UUID, str]]:
    """(id, name) of the first tasks in the outline that do work and so have inputs."""
    rows: Any = Task.objects.filter(tree=tree, linked_attempt=None).exclude(executor="").order_by("position")
    return list(rows.values_list("pk", "name")[:most])
