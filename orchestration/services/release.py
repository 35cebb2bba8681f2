"""Letting go what a dependency holds back: the dependency becomes optional and the task runs again, both or neither."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from orchestration.domain.states import Mode
from orchestration.models import Run
from orchestration.services.dependencies import dependency_change
from orchestration.services.runs import run_start


@transaction.atomic
def dependency_release(*, user: Any, task_id: UUID, depends_on: UUID) -> Run:
    """A new run of the task and of everything downstream, for which *depends_on* is optional from now on.

    Raises NotFound, Forbidden, Conflict (run_active, archived, nothing to run). Effects: as `dependency_change` and
    `run_start`.
    """
    dependency = dependency_change(user=user, task_id=task_id, depends_on=depends_on, fields={"required": False})
    tree_id = dependency.task.tree_id
    return run_start(user=user, tree_id=tree_id, mode=Mode.FROM, chosen=[task_id])
