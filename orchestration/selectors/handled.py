"""Failures that somebody has taken care of: others wait for the task, and all of them hold it as optional."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from orchestration.models import Dependency


def handled_among(ids: Collection[UUID]) -> set[UUID]:
    """Those of *ids* for which others wait, and only optionally. One query."""
    if not ids:
        return set()
    required: dict[UUID, bool] = {}
    for task_id, needs in Dependency.objects.filter(depends_on__in=ids).values_list("depends_on_id", "required"):
        required[task_id] = required.get(task_id, False) or needs
    return {task_id for task_id, needs in required.items() if not needs}
