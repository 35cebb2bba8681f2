"""What Python users hold in their hands: a task as plain data, and a tree of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from orchestration.domain.spec import PRIORITY_DEFAULT
from orchestration.domain.states import Origin, Status

DEFINITION = ("name", "priority", "inputs", "params", "schemas", "timeout_s", "max_attempts", "backoff")


@dataclass(eq=False)  # identity is the point: one session has one record per task
class TaskRecord:
    """A task: its definition and, once it is stored, its state as of the last read. Changing it stores nothing."""

    id: str  # UUID with dashes
    name: str
    user_id: str | None = None  # name of the user who owns it
    parent_id: str | None = None
    executor: str | None = None  # None: what params, schemas or the name say; "": none
    priority: int = PRIORITY_DEFAULT
    inputs: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    schemas: dict[str, Any] = field(default_factory=dict)
    dependencies: list[Any] = field(default_factory=list)
    timeout_s: float | None = None
    max_attempts: int = 1
    backoff: dict[str, Any] = field(default_factory=dict)
    # state
    status: Status = Status.PENDING
    progress: float = 0.0
    result: Any = None
    error: str | None = None
    blocked_by: str | None = None  # the required dependency because of which it did not run
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    updated_at: datetime | None = None
    # lineage
    origin_type: Origin = Origin.CREATE
    original_task_id: str | None = None
    has_references: bool = False
    tree_id: int | None = None  # None: not stored yet

    def take(self, newer: TaskRecord) -> None:
        """Become what *newer* says."""
        for part in fields(self):
            setattr(self, part.name, getattr(newer, part.name))

    def cancel(self, reason: str) -> None:
        """Note that it is not to run (only while it is not stored: later the engine decides)."""
        self.status, self.error = Status.CANCELLED, reason

    def definition(self, parent_id: str | None) -> dict[str, Any]:
        """The task as one object of an array that builders.array reads."""
        item: dict[str, Any] = {key: getattr(self, key) for key in DEFINITION}
        item |= {"id": self.id, "parent_id": parent_id, "user_id": self.user_id, "dependencies": self.dependencies}
        return item if self.executor is None else {**item, "executor": self.executor}


class TaskTreeNode:
    """A task with its children. Parent and child are an outline: only dependencies decide the order."""

    def __init__(self, task: TaskRecord) -> None:
        self.task = task
        self.children: list[TaskTreeNode] = []

    def __repr__(self) -> str:
        return f"TaskTreeNode({self.task.name!r}, {len(self.children)} children)"

    def add_child(self, child: TaskTreeNode) -> None:
        """Put *child*, with everything under it, below this task."""
        self.children.append(child)

    def walk(self) -> Iterator[TaskTreeNode]:
        """This node and everything under it, parents first."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    def calculate_progress(self) -> float:
        """Mean progress of the tasks at the ends of the branches, 0.0 to 1.0."""
        leaves = [node.task.progress for node in self.walk() if not node.children]
        return sum(leaves) / len(leaves)

    def calculate_status(self) -> Status:
        """In progress, failed, cancelled or pending if any task of the tree is, in this order; else completed."""
        found = {node.task.status for node in self.walk()}
        order = (Status.IN_PROGRESS, Status.FAILED, Status.CANCELLED, Status.PENDING)
        return next((status for status in order if status in found), Status.COMPLETED)


def tree_of(records: Iterable[TaskRecord]) -> TaskTreeNode:
    """The tree of *records*, which come parents first and have one root."""
    nodes: dict[str, TaskTreeNode] = {}
    for record in records:
        nodes[record.id] = TaskTreeNode(record)
        if record.parent_id is not None:
            nodes[record.parent_id].add_child(nodes[record.id])
    return next(iter(nodes.values()))
