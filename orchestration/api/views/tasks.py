"""Tasks, their attempts, and what can be asked of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.base import ApiView, Done, if_match, require_match
from orchestration.api.bodies import NoBody, PriorityBody, TaskCancelBody, TaskChangeBody
from orchestration.api.schema import IF_MATCH, described
from orchestration.api.shapes import AttemptDetailShape, AttemptShape, TaskDetailShape, TaskShape
from orchestration.domain.errors import Invalid, NotFound, Problem
from orchestration.domain.task_fields import got
from orchestration.models import Attempt, Task
from orchestration.selectors import access, api_rows
from orchestration.services.locking import lock_tree_of
from orchestration.services.queue import task_prioritise
from orchestration.services.runs import task_cancel
from orchestration.services.transitions_snapshot import link_move
from orchestration.services.trees import task_update

INT_MAX = 2**31 - 1


def task_row(task: Task) -> Task:
    """*task* with the result of its newest attempt; for a link that of the original."""
    if task.linked_attempt_id:
        attempt = Attempt.objects.filter(pk=task.linked_attempt_id)
    else:
        attempt = Attempt.objects.filter(task=task, number=task.attempt)
    task.newest_result = attempt.values_list("result", flat=True).first()  # type: ignore[attr-defined]
    return task


class TaskList(ApiView):
    @described("task_list", "Tasks of all trees that you may see", TaskShape, listing=api_rows.TASKS)
    def get(self, request: Request) -> Response:
        return self.listed(api_rows.tasks(request.user), api_rows.TASKS, TaskShape)


class TaskDetail(ApiView):
    @described("task_get", "One task with its definition and result", TaskDetailShape, selectable=True)
    def get(self, request: Request, task_id: UUID) -> Response:
        task = access.task_for_read(request.user, task_id)
        return self.shown(TaskDetailShape, task_row(task), etag=task.version)

    @described(
        "task_update", "Change a task's definition", TaskDetailShape, body=TaskChangeBody, parameters=[IF_MATCH],
        example={"priority": 1, "version": 3},
    )  # fmt: skip
    def patch(self, request: Request, task_id: UUID) -> Response:
        task = access.task_for_read(request.user, task_id)
        access.tree_for_write(request.user, task.tree_id)
        changes, expected = self._changes(), if_match(request)
        version = changes.pop("version", None)
        if version is None and expected is None:
            message = f"name the version that you have seen (now {task.version}), here or in If-Match"
            raise Invalid([Problem("version", message, "required")])

        def do() -> Done:
            lock_tree_of(task_id)
            now = access.task_for_read(self.user, task_id).version
            require_match(expected, now, "task")
            changed = task_update(
                user=self.user, task_id=task_id, version=now if version is None else version, changes=changes
            )
            fresh = access.task_for_read(request.user, changed.pk)
            data = TaskDetailShape(task_row(fresh)).data
            return Done(data, f"task:{task_id}", {"fields": sorted(changes)})

        return self.commit("task.update", do)

    def _changes(self) -> dict[str, Any]:
        data = self.request.data
        if not isinstance(data, dict):
            raise Invalid([Problem("", f"expected an object, got {got(data)}", "invalid_type")])
        changes = dict(data)
        version = changes.get("version", 1)
        if type(version) is not int or not 0 < version <= INT_MAX:
            raise Invalid([Problem("version", f"expected a whole number, got {got(version)}", "invalid_type")])
        return changes


class TaskCancel(ApiView):
    scopes = {"POST": "run"}

    @described("task_cancel", "Cancel a task, or everything under it", TaskDetailShape, body=TaskCancelBody)
    def post(self, request: Request, task_id: UUID) -> Response:
        access.task_for_cancel(request.user, task_id)
        asked = self.body(TaskCancelBody)

        def do() -> Done:
            task_cancel(user=request.user, task_id=task_id, **asked)
            fresh = access.task_for_read(request.user, task_id)
            return Done(TaskDetailShape(task_row(fresh)).data, f"task:{task_id}", {"subtree": asked["subtree"]})

        return self.commit("task.cancel", do)


class TaskPriority(ApiView):
    scopes = {"POST": "run"}

    @described("task_priority", "Say who goes first, also in the queue", TaskDetailShape, body=PriorityBody)
    def post(self, request: Request, task_id: UUID) -> Response:
        access.task_for_run(request.user, task_id)
        priority = self.body(PriorityBody)["priority"]

        def do() -> Done:
            task_prioritise(user=request.user, task_id=task_id, priority=priority)
            fresh = access.task_for_read(request.user, task_id)
            return Done(TaskDetailShape(task_row(fresh)).data, f"task:{task_id}", {"priority": priority})

        return self.commit("task.priority", do)


class TaskMove(ApiView):
    @described("task_move", "Let a link show the newest result of its original", TaskDetailShape, body=NoBody)
    def post(self, request: Request, task_id: UUID) -> Response:
        access.task_for_read(request.user, task_id)
        self.body(NoBody)

        def do() -> Done:
            task = link_move(user=self.user, task_id=task_id)
            return Done(TaskDetailShape(task_row(task)).data, f"task:{task_id}")

        return self.commit("task.link_move", do)


class TaskAttempts(ApiView):
    @described("task_attempt_list", "The attempts of a task", AttemptShape, listing=api_rows.ATTEMPTS)
    def get(self, request: Request, task_id: UUID) -> Response:
        task = access.task_for_read(request.user, task_id)
        return self.listed(api_rows.attempts(request.user).filter(task=task), api_rows.ATTEMPTS, AttemptShape)


class TaskAttempt(ApiView):
    @described("task_attempt_get", "One attempt with inputs, result and log", AttemptDetailShape, selectable=True)
    def get(self, request: Request, task_id: UUID, number: int) -> Response:
        task = access.task_for_read(request.user, task_id)
        attempt = Attempt.objects.filter(task=task, number=number).first() if number <= INT_MAX else None
        if attempt is None:
            raise NotFound(f"no attempt {number} of this task")
        return self.shown(AttemptDetailShape, attempt)
