"""Every method of the protocol: what it needs, what does it, and how discovery describes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestration.models.token import ADMIN, READ, RUN
from orchestration.rpc import cloning, reading, running, system, writing

TEXT, FLAG, WHOLE, OBJECT = (
    {"type": "string"},
    {"type": "boolean"},
    {"type": "integer", "minimum": 0},
    {"type": "object"},
)
LIST = {"type": "array", "items": TEXT}
TASK = {"task_id": TEXT}


@dataclass(frozen=True, slots=True)
class Method:
    """One method. *scope*: the least that a token needs."""

    name: str
    scope: str
    do: Callable[[Any, Any], Any]
    description: str
    properties: dict[str, Any]
    required: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    raw: bool = False  # takes the parameters as they are, a list too

    @property
    def category(self) -> str:
        return {READ: "query", RUN: "execution", ADMIN: "crud"}[self.scope]

    def described(self) -> dict[str, Any]:
        """The method for discovery."""
        schema = {"type": "object", "properties": self.properties, "required": list(self.required)}
        return {
            "method": self.name,
            "name": self.name.replace(".", " "),
            "description": self.description,
            "category": self.category,
            "tags": [self.scope],
            "input_schema": {"type": ["array", "object"]} if self.raw else schema,
            "supports_streaming": self.name == EXECUTE,
            "examples": [],
        }


EXECUTE = "tasks.execute"
TASKS = [
    Method("tasks.create", ADMIN, writing.create, "Create a tree from an array of tasks", {}, raw=True),
    Method("tasks.get", READ, reading.get, "A task", TASK, ("task_id",), ("tasks.detail",)),
    Method(
        "tasks.update", ADMIN, writing.update, "Change the definition of a task",
        TASK | {"name": TEXT, "inputs": OBJECT, "params": OBJECT, "schemas": OBJECT, "priority": WHOLE,
                "dependencies": {"type": "array"}, "updates": OBJECT}, ("task_id",),
    ),
    Method("tasks.delete", ADMIN, writing.delete, "Delete a pending task and what is under it", TASK, ("task_id",)),
    Method(
        "tasks.list", READ, reading.listed, "Tasks, newest first",
        {"user_id": TEXT, "status": TEXT, "root_only": FLAG, "limit": WHOLE, "offset": WHOLE},
    ),
    Method(
        "tasks.count", READ, reading.count, "How many tasks there are of each status",
        {"user_id": TEXT, "root_only": FLAG, "statuses": LIST},
    ),
    Method("tasks.tree", READ, reading.tree, "A task with all under it", TASK | {"root_id": TEXT}),
    Method("tasks.children", READ, reading.children, "The tasks directly under one", TASK | {"parent_id": TEXT}),
    Method(
        "tasks.running.list", READ, reading.running_list, "Roots of trees that run", {"user_id": TEXT, "limit": WHOLE}
    ),
    Method("tasks.running.count", READ, reading.running_count, "How many trees run", {"user_id": TEXT}),
    Method("tasks.running.status", READ, reading.running_status, "How tasks are", {"task_ids": LIST}, ("task_ids",)),
    Method(
        "tasks.cancel", RUN, running.cancel, "Cancel tasks; the root of a tree stands for its run",
        {"task_ids": LIST, "context_ids": LIST, "task_id": TEXT, "force": FLAG, "error_message": TEXT},
        aliases=("tasks.running.cancel",),
    ),
    Method(
        "tasks.clone", ADMIN, cloning.clone, "Copy, link, archive or mix tasks into a new tree",
        TASK | {"origin_type": {"enum": list(cloning.KINDS)}, "recursive": FLAG, "link_task_ids": LIST,
                "reset_fields": OBJECT, "save": FLAG}, ("task_id",), ("tasks.copy",),
    ),
    Method(
        EXECUTE, RUN, running.execute, "Start a run of a tree, or of a new one made from `tasks`",
        TASK | {"tasks": {"type": "array"}, "use_streaming": FLAG},
    ),
]  # fmt: skip
SYSTEM = [
    Method("system.health", READ, system.health, "Whether the server answers", {}),
    Method("system.executors", READ, system.executors, "The executors of this server", {}),
]
METHODS = {name: method for method in (*TASKS, *SYSTEM) for name in (method.name, *method.aliases)}


def discovery() -> dict[str, Any]:
    """What GET /apflow/tasks/methods answers."""
    found: dict[str, list[dict[str, Any]]] = {}
    for method in TASKS:
        found.setdefault(method.category, []).append(method.described())
    return {"total": len(TASKS), "categories": list(found), "methods": found}
