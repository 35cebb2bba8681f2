"""Changes to single tasks while they are copied, checked by the rules for every task."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from orchestration.conf import conf
from orchestration.domain.errors import Invalid, OrchestrationError, Problem
from orchestration.domain.json_gate import safe_text
from orchestration.domain.task_fields import CHECKS, Limits, check_together, did_you_mean, got
from orchestration.executors.registry import get
from orchestration.models import Task

FIELDS = ("name", "inputs", "params", "priority", "timeout_s", "max_attempts", "backoff", "executor")
IDS_PER_QUERY = 500

type Overrides = Mapping[Any, Any]


def read_overrides(overrides: Overrides | None, copied: Collection[str]) -> dict[str, dict[str, Any]]:
    """Source task id (32 hex digits) -> field -> value to store. Raises Invalid with all problems.

    *copied*: the tasks that can be changed. At most one query per 500 tasks whose inputs or params change.
    """
    if not isinstance(overrides or {}, Mapping):
        raise Invalid([Problem("overrides", f"expected an object of task ids, got {got(overrides)}", "invalid_type")])
    limits = Limits(conf().max_inputs_bytes, conf().max_depth)
    problems: list[Problem] = []
    found: dict[str, dict[str, Any]] = {}
    for key, changes in (overrides or {}).items():
        path = f"overrides.{safe_text(str(key), 40)}"
        task_id = read_id(key)
        if task_id not in copied:
            problems.append(
                Problem(path, "no task that is copied: links and archives stay as they are", "unknown_task")
            )
        elif not isinstance(changes, Mapping):
            problems.append(
                Problem(path, f'expected fields such as {{"priority": 1}}, got {got(changes)}', "invalid_type")
            )
        else:
            found[task_id] = _read(changes, path, limits, problems)
    if not problems:
        _check_sizes(found, limits, problems)
    if problems:
        raise Invalid(problems)
    return found


def read_id(value: Any) -> str:
    """The id as 32 hex digits, or "" if it is none."""
    try:
        return UUID(str(value)).hex
    except ValueError:
        return ""


def _read(changes: Mapping[Any, Any], path: str, limits: Limits, problems: list[Problem]) -> dict[str, Any]:
    values = {}
    for key, value in changes.items():
        where = f"{path}.{safe_text(str(key), 40)}"
        if key == "executor":
            values[key] = _executor(value, where, problems)
        elif key in FIELDS:
            values[key] = CHECKS[key](value, where, limits, problems)
        else:
            remedy = did_you_mean(str(key), FIELDS) or f"; these can be changed: {', '.join(FIELDS)}"
            problems.append(Problem(where, f"cannot be changed here{remedy}", "unknown_field"))
    return values


def _executor(value: Any, path: str, problems: list[Problem]) -> str:
    if value == "":
        return ""
    if not isinstance(value, str):
        problems.append(Problem(path, f"expected the id of an executor, got {got(value)}", "invalid_type"))
        return ""
    try:
        return get(value).id
    except OrchestrationError as error:
        problems.append(Problem(path, error.message, error.code))
        return ""


def _check_sizes(found: Mapping[str, Mapping[str, Any]], limits: Limits, problems: list[Problem]) -> None:
    """inputs and params share one limit, and often only one of them changes."""
    asked = [UUID(task_id) for task_id, values in found.items() if values.keys() & {"inputs", "params"}]
    for start in range(0, len(asked), IDS_PER_QUERY):
        stored = Task.objects.filter(pk__in=asked[start : start + IDS_PER_QUERY])
        for pk, inputs, params in stored.values_list("pk", "inputs", "params"):
            values = found[pk.hex]
            path = f"overrides.{pk}"
            check_together(values.get("inputs", inputs), values.get("params", params), path, limits, problems)
