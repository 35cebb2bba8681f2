"""Creating and reading tasks."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async

from orchestration.domain.errors import NotFound
from orchestration.manager.reads import record_of_task, stored_task
from orchestration.manager.records import DEFINITION, TaskRecord
from orchestration.manager.session import Session, check_definition, dashed, new_record
from orchestration.services.trees import task_update


class TaskRepository:
    """The tasks of one session, and all stored ones."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def create_task(self, name: str, **fields: Any) -> TaskRecord:
        """As `add`, for those who wait."""
        return self.add(name, **fields)

    def add(self, name: str, **fields: Any) -> TaskRecord:
        """A new pending task, kept in the session until its tree is distributed. Raises Invalid.

        *fields*: user_id, parent_id, priority, inputs, params, schemas, dependencies (ids, names, or objects with "id"
        or "name", "required", "map", "as"), executor, timeout_s, max_attempts, backoff, id (a UUID).
        """
        return self.session.add(new_record(name, fields))

    async def get_task_by_id(self, task_id: str) -> TaskRecord | None:
        """The task as it is now, or None. The same record object for the same task while you hold it."""
        draft = self.session.drafts.get(dashed(task_id))
        if draft is not None:
            return draft
        fresh = await sync_to_async(_read)(task_id)
        return None if fresh is None else self.session.settle(fresh)

    async def update_task(self, task_id: str, **changes: Any) -> TaskRecord:
        """The task with *changes* to name, priority, inputs, params, timeout_s, max_attempts or backoff.

        Raises NotFound, Invalid, AlreadyRunning, Conflict (archived, a link).
        """
        draft = self.session.drafts.get(dashed(task_id))
        if draft is None:
            return self.session.settle(await sync_to_async(_update)(task_id, changes))
        keep = (*DEFINITION, "id", "user_id", "parent_id", "dependencies", "executor")
        fields = {key: getattr(draft, key) for key in keep} | changes
        changed = new_record(fields.pop("name"), fields)
        check_definition(changed)
        draft.take(changed)
        return draft


def _read(task_id: str) -> TaskRecord | None:
    task = stored_task(task_id)
    return None if task is None else record_of_task(task)


def _update(task_id: str, changes: dict[str, Any]) -> TaskRecord:
    task = stored_task(task_id)
    if task is None:
        raise NotFound(f"no task {task_id}")
    return record_of_task(task_update(user=task.tree.owner, task_id=task.pk, version=task.version, changes=changes))
