"""What a task waits for, one dependency at a time."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.base import ApiView, Done, if_match, require_match
from orchestration.api.bodies import DependencyBody, DependencyChangeBody
from orchestration.api.schema import IF_MATCH, described
from orchestration.api.shapes import DependencyShape, TaskDependencyShape
from orchestration.domain.errors import Invalid, Problem
from orchestration.models import Dependency, Task
from orchestration.selectors import access, api_rows
from orchestration.services.dependencies import dependency_add, dependency_change, dependency_of, dependency_remove
from orchestration.services.locking import lock_tree_of


def dependency_done(dependency: Dependency, **details: Any) -> Done:
    """What a request about *dependency* answers."""
    task, other = dependency.task_id, dependency.depends_on_id
    address = f"/api/v1/tasks/{task}/dependencies/{other}/"
    told = {"depends_on": str(other), **details}
    return Done(TaskDependencyShape(dependency).data, f"task:{task}", told, address)


def match(task_id: UUID, expected: int | None) -> None:
    """Raises PreconditionFailed unless the task has the version that If-Match names."""
    if expected is not None:
        lock_tree_of(task_id)
        require_match(expected, Task.objects.values_list("version", flat=True).get(pk=task_id), "task")


class TaskDependencies(ApiView):
    @described("task_dependency_list", "What a task waits for", DependencyShape, listing=api_rows.DEPENDENCIES)
    def get(self, request: Request, task_id: UUID) -> Response:
        task = access.task_for_read(request.user, task_id)
        rows = api_rows.dependencies(request.user).filter(task=task)
        return self.listed(rows, api_rows.DEPENDENCIES, DependencyShape)

    @described(
        "task_dependency_add", "Let the task wait for one more", TaskDependencyShape, status=201, body=DependencyBody,
        parameters=[IF_MATCH],
    )  # fmt: skip
    def post(self, request: Request, task_id: UUID) -> Response:
        task = access.task_for_read(request.user, task_id)
        access.tree_for_write(request.user, task.tree_id)
        asked, expected = self.body(DependencyBody), if_match(request)
        version, other = asked.pop("version", None), asked.pop("depends_on")

        def do() -> Done:
            match(task_id, expected)
            added = dependency_add(user=self.user, task_id=task_id, depends_on=other, fields=asked, version=version)
            return dependency_done(added)

        return self.commit("dependency.add", do, status=201)


class TaskDependency(ApiView):
    @described("task_dependency_get", "One dependency", TaskDependencyShape, selectable=True)
    def get(self, request: Request, task_id: UUID, other_id: UUID) -> Response:
        task = access.task_for_read(request.user, task_id)
        return self.shown(TaskDependencyShape, dependency_of(task, other_id), etag=task.version)

    @described(
        "task_dependency_update", "Require it or not, and what becomes of its result", TaskDependencyShape,
        body=DependencyChangeBody, parameters=[IF_MATCH],
    )  # fmt: skip
    def patch(self, request: Request, task_id: UUID, other_id: UUID) -> Response:
        task = access.task_for_read(request.user, task_id)
        access.tree_for_write(request.user, task.tree_id)
        asked, expected = self.body(DependencyChangeBody), if_match(request)
        version = asked.pop("version", None)
        if version is None and expected is None:
            message = f"name the task's version that you have seen (now {task.version}), here or in If-Match"
            raise Invalid([Problem("version", message, "required")])

        def do() -> Done:
            match(task_id, expected)
            changed = dependency_change(
                user=self.user, task_id=task_id, depends_on=other_id, fields=asked, version=version
            )
            return dependency_done(changed, fields=sorted(asked))

        return self.commit("dependency.update", do)

    @described("task_dependency_delete", "Let the task wait for it no longer", None, status=204, writes=True,
               parameters=[IF_MATCH])  # fmt: skip
    def delete(self, request: Request, task_id: UUID, other_id: UUID) -> Response:
        task = access.task_for_read(request.user, task_id)
        access.tree_for_write(request.user, task.tree_id)
        expected = if_match(request)

        def do() -> Done:
            match(task_id, expected)
            dependency_remove(user=self.user, task_id=task_id, depends_on=other_id)
            return Done(None, f"task:{task_id}", {"depends_on": str(other_id)})

        return self.commit("dependency.remove", do, status=204)
