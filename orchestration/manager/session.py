"""What one user of the Python API has made and not run yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

from orchestration.builders.array_fields import Reader
from orchestration.builders.array_problems import Problems
from orchestration.conf import Conf, conf
from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.task_fields import Limits
from orchestration.manager.records import DEFINITION, TaskRecord


class Session:
    """Tasks that were created wait here, in memory, until the tree that they belong to is distributed.

    It holds no connection and needs no closing; `close` forgets what was not distributed.
    """

    def __init__(self, config: Conf | None = None) -> None:
        self.config = config
        self.drafts: dict[str, TaskRecord] = {}
        self.known: WeakValueDictionary[str, TaskRecord] = WeakValueDictionary()  # stored tasks somebody holds

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget every task that was not distributed."""
        self.drafts.clear()

    def add(self, record: TaskRecord) -> TaskRecord:
        """Keep a checked draft. Raises Invalid."""
        if record.id in self.drafts:
            raise Invalid([Problem("id", f"'{record.id}' is used by another task of this session", "duplicate_id")])
        check_definition(record)
        self.drafts[record.id] = record
        return record

    def stored(self, tree_ids: Iterable[str]) -> None:
        """Drafts with these ids (32 hex digits) have become rows."""
        for task_id in map(dashed, tree_ids):
            if task_id in self.drafts:
                self.known[task_id] = self.drafts.pop(task_id)

    def settle(self, fresh: TaskRecord) -> TaskRecord:
        """The one record of this session for a stored task, now saying what *fresh* says."""
        record = self.known.get(fresh.id)
        if record is None:
            record = fresh
        else:
            record.take(fresh)
        self.known[fresh.id] = record
        return record


def create_session(*, config: Conf | None = None) -> Session:
    """A new session. *config*: engine settings (slots, limits) for the runs that it starts itself."""
    return Session(config)


def new_record(name: str, given: dict[str, Any]) -> TaskRecord:
    """A draft of a task from the arguments of create_task, not checked yet. Raises Invalid (unknown argument, id)."""
    known = (*DEFINITION, "id", "user_id", "parent_id", "dependencies", "executor")
    unknown = [key for key in given if key not in known]
    if unknown:
        raise Invalid([Problem(key, f"unknown field; known: {', '.join(known)}", "unknown_field") for key in unknown])
    values = {key: value for key, value in given.items() if value is not None}
    values["id"] = _task_id(values.get("id"))
    if values.get("parent_id"):
        values["parent_id"] = dashed(values["parent_id"])
    if isinstance(values.get("dependencies"), list | tuple):
        values["dependencies"] = [_reference(entry) for entry in values["dependencies"]]
    return TaskRecord(name=name, **values)


def check_definition(record: TaskRecord) -> None:
    """Raises Invalid with everything that is wrong with this task for itself."""
    limits, problems = conf(), Problems()
    reader = Reader(Limits(limits.max_inputs_bytes, limits.max_depth), problems)
    reader.read(record.definition(record.parent_id), "task")
    problems.check()


def dashed(text: Any) -> Any:
    """*text* as a UUID with dashes if it is one in whatever spelling; otherwise as it is."""
    try:
        return str(UUID(str(text)))
    except ValueError:
        return text


def _task_id(given: Any) -> str:
    if given is None:
        return str(uuid4())
    try:
        return str(UUID(str(given)))
    except ValueError:
        message = "expected a UUID: leave it out to get one, and refer to tasks by name or by the id of the record"
        raise Invalid([Problem("id", message, "invalid_type")]) from None


def _reference(entry: Any) -> Any:
    if isinstance(entry, dict) and "id" in entry:
        return {**entry, "id": dashed(entry["id"])}
    return dashed(entry) if isinstance(entry, str | UUID) else entry
