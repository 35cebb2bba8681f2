"""One object of the array: its fields checked one by one, its references read but not yet resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from orchestration.builders.array_problems import Problems
from orchestration.domain.errors import OrchestrationError
from orchestration.domain.json_gate import safe_text
from orchestration.domain.task_fields import (
    CHECKS,
    Limits,
    check_as,
    check_map,
    check_together,
    did_you_mean,
    got,
    name_problem,
)
from orchestration.executors.registry import find, get
from orchestration.executors.validation import schema_problems

DEFINITION_FIELDS = (*CHECKS, "id", "parent_id", "dependencies", "executor", "user_id")
STATE_FIELDS = frozenset({
    "status", "progress", "result", "error", "created_at", "started_at", "updated_at", "completed_at",
    "task_tree_id", "has_children", "children", "origin_type", "original_task_id", "has_references",
    "schedule_type", "schedule_expression", "schedule_enabled", "schedule_start_at", "schedule_end_at",
    "next_run_at", "last_run_at", "max_runs", "run_count",
    "lease_id", "lease_expires_at", "placement_constraints", "attempt_id", "idempotency_key", "last_assigned_node",
    "attempt_count", "backoff_strategy", "backoff_base_seconds", "checkpoint_at", "resume_from", "token_usage",
    "token_budget", "estimated_cost_usd", "actual_cost_usd", "cost_policy",
})  # fmt: skip
"""In an export of a tree that has run: accepted, not imported, and said so in a warning."""
DEPENDENCY_FIELDS = ("id", "name", "required", "type", "map", "as")


@dataclass(slots=True)
class Reference:
    """A dependency as written."""

    text: str
    by_name: bool = False  # written as {"name": ...}
    required: bool = True
    map: dict[str, str] | None = None
    as_key: str | None = None


@dataclass(slots=True)
class Row:
    """A task as written, its plain fields checked."""

    path: str
    key: str | None = None
    name: str = ""
    parent: str | None = None
    executor: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)


@dataclass(slots=True)
class Reader:
    """Reads the objects of one array; what is found on the way is collected here."""

    limits: Limits
    problems: Problems
    ignored: set[str] = field(default_factory=set)
    users: dict[Any, str] = field(default_factory=dict)  # user_id -> where it was first seen
    drafts: list[Row] = field(default_factory=list)
    _executors: dict[str, str] = field(default_factory=dict)

    def read(self, item: Any, path: str) -> Row:
        """The row of *item*; its problems are in `problems`."""
        row = Row(path)
        if not isinstance(item, dict):
            self.problems.add(path, f"expected an object with at least a name, got {got(item)}", "invalid_type")
            return row
        for key, value in item.items():
            check = CHECKS.get(key)
            if check is not None:
                row.fields[key] = check(value, f"{path}.{key}", self.limits, self.problems)
            elif key not in DEFINITION_FIELDS:
                self._other(key, value, path)
        if "name" not in item:
            self.problems.add(path, "a task needs a 'name' field: add one", "required")
        row.name = row.fields.get("name", "")
        row.key = self._text(item, "id", path)
        row.parent = self._text(item, "parent_id", path)
        self._user(item.get("user_id"), path)
        check_together(row.fields.get("inputs"), row.fields.get("params"), path, self.limits, self.problems)
        if row.fields.get("schemas"):
            self.problems.extend(schema_problems(row.fields["schemas"], f"{path}.schemas"))
        row.executor = self._executor(item, row)
        if item.get("dependencies") is not None:
            row.references = self._dependencies(item["dependencies"], f"{path}.dependencies")
        return row

    def _other(self, key: Any, value: Any, path: str) -> None:
        if key == "children" and value:
            self.problems.add(f"{path}.children", "write one flat list: each child names its parent in 'parent_id'")
        elif key in STATE_FIELDS:
            if value is not None:
                self.ignored.add(key)
        else:
            where = f"{path}.{safe_text(str(key), 64)}"
            remedy = did_you_mean(str(key), DEFINITION_FIELDS) or f"; known: {', '.join(DEFINITION_FIELDS)}"
            self.problems.add(where, f"unknown field{remedy}", "unknown_field")

    def _text(self, item: dict[str, Any], key: str, path: str) -> str | None:
        value = item.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.problems.add(f"{path}.{key}", f"expected a text, got {got(value)}: put it in quotes", "invalid_type")
            return None
        problem = name_problem(value, key)
        if problem:
            self.problems.add(f"{path}.{key}", problem.message, problem.code)
        return value

    def _user(self, value: Any, path: str) -> None:
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.problems.add(f"{path}.user_id", f"expected a text or a number, got {got(value)}", "invalid_type")
            return
        first = next(iter(self.users), value)
        if str(value) != str(first):
            message = (
                f"all tasks must have the same user_id: {self.users[first]} has {got(first)}, here is {got(value)}"
            )
            self.problems.add(f"{path}.user_id", message, "mixed_users")
        self.users.setdefault(first, path)

    def _executor(self, item: dict[str, Any], row: Row) -> str:
        """The first that is given: executor, params.executor_id, schemas.method, the name if it is an executor's."""
        inputs, params = row.fields.get("inputs"), row.fields.get("params") or {}
        explicit = (
            ("executor", item.get("executor")),
            ("params.executor_id", params.get("executor_id")),
            ("schemas.method", (row.fields.get("schemas") or {}).get("method")),
        )
        for where, value in explicit:
            if value == "" and where == "executor":
                break  # says that there is none, whatever the name is
            if value is not None:
                return self._registered(value, f"{row.path}.{where}")
        else:
            found = find(row.name) if row.name else None
            if found is not None:
                return found.id
        if inputs or params:
            self.drafts.append(row)
        return ""

    def _registered(self, value: Any, path: str) -> str:
        if not isinstance(value, str):
            self.problems.add(path, f"expected the id of an executor, got {got(value)}", "invalid_type")
            return ""
        if value not in self._executors:
            try:
                self._executors[value] = get(value).id
            except OrchestrationError as error:
                self.problems.add(path, error.message, error.code)
                return ""
        return self._executors[value]

    def _dependencies(self, value: Any, path: str) -> list[Reference]:
        if not isinstance(value, list):
            message = f'expected a list such as [{{"id": "extract", "required": true}}], got {got(value)}'
            self.problems.add(path, message, "invalid_type")
            return []
        found = []
        for index, entry in enumerate(value):
            if isinstance(entry, str):
                found.append(Reference(entry))
            else:
                reference = read_dependency(entry, f"{path}[{index}]", self.limits, self.problems)
                found.append(reference or Reference(""))  # keeps the index of the others
        return found


def read_dependency(entry: Any, path: str, limits: Limits, problems: Problems) -> Reference | None:
    """One entry of `dependencies` that is not plain text, or None when it names no task."""
    if not isinstance(entry, dict):
        problems.add(path, f"expected an id, a name or an object with one of them, got {got(entry)}", "invalid_type")
        return None
    for key in entry:
        if key not in DEPENDENCY_FIELDS:
            remedy = did_you_mean(str(key), DEPENDENCY_FIELDS) or f"; known: {', '.join(DEPENDENCY_FIELDS)}"
            problems.add(f"{path}.{safe_text(str(key), 64)}", f"unknown field{remedy}", "unknown_field")
    by_name = entry.get("id") is None
    text = entry.get("name") if by_name else entry["id"]
    if not isinstance(text, str) or not text:
        problems.add(path, "needs the 'id' or the 'name' of a task of this array, as text", "required")
        return None
    if len(entry) == 1:
        return Reference(text, by_name)
    required = entry.get("required", True)
    if not isinstance(required, bool):
        problems.add(f"{path}.required", f"expected true or false, got {got(required)}", "invalid_type")
    kind = entry.get("type")
    if kind is not None and not isinstance(kind, str):
        problems.add(f"{path}.type", f"expected a text, got {got(kind)}", "invalid_type")
    mapping = check_map(entry.get("map"), f"{path}.map", problems)
    as_key = check_as(entry.get("as"), f"{path}.as", problems)
    if mapping is not None and as_key is not None:
        problems.add(path, "has both 'map' and 'as': keep one of them", "map_and_as")
    return Reference(text, by_name, required is True, mapping, as_key)
