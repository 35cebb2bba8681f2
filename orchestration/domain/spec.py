"""What a tree is to become, checked and complete: the only thing that services.trees.tree_create accepts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orchestration.domain.errors import Problem

PRIORITY_DEFAULT = 2


class DependencySpec(NamedTuple):
    """One edge: the task that has it waits for the task `id`."""

    id: str  # 32 hex digits
    required: bool = True
    map: dict[str, str] | None = None  # {"input field": "path.in.result"}
    as_key: str | None = None


@dataclass(slots=True)  # not frozen, which takes three times as long to make: there are thousands
class TaskSpec:
    """One task. `executor` is a registered id, or "" for a group or a draft."""

    id: str  # 32 hex digits
    name: str
    parent_id: str | None = None
    executor: str = ""
    priority: int = PRIORITY_DEFAULT
    inputs: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    schemas: dict[str, Any] = field(default_factory=dict)  # method, input_schema, ... as given
    dependencies: list[DependencySpec] = field(default_factory=list)
    timeout_s: float | None = None
    max_attempts: int = 1
    backoff: dict[str, Any] = field(default_factory=dict)  # {strategy: fixed|linear|exponential, base_s, cap_s}

    @property
    def is_draft(self) -> bool:
        """Has something to work on but nothing to work with."""
        return not self.executor and bool(self.inputs or self.params)


@dataclass(frozen=True, slots=True)
class TreeSpec:
    """A whole tree in pre-order: the root first, every parent before its children."""

    tasks: list[TaskSpec]
    labels: list[str] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    @property
    def root(self) -> TaskSpec:
        return self.tasks[0]

    @property
    def name(self) -> str:
        return self.tasks[0].name
