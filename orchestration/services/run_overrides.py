"""What one run does differently: inputs, priority or timeout of single tasks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from orchestration.conf import conf
from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.json_gate import safe_text
from orchestration.domain.task_fields import CHECKS, Limits, did_you_mean, got
from orchestration.models import Task, Tree

OVERRIDABLE = ("inputs", "priority", "timeout_s")


def check_overrides(tree: Tree, overrides: Any) -> dict[str, Any]:
    """*overrides* (task id -> {inputs, priority, timeout_s}) in the form that a run stores: only what is given.

    Raises Invalid with all problems: the engine reads this with every load of the run and must not stumble over it.
    """
    if not overrides:
        return {}
    if not isinstance(overrides, dict):
        message = f'expected an object such as {{"<task id>": {{"priority": 0}}}}, got {got(overrides)}'
        raise Invalid([Problem("overrides", message, "invalid_type")])
    problems: list[Problem] = []
    known = {str(task_id) for task_id in Task.objects.filter(tree=tree).values_list("id", flat=True)}
    checked = {}
    for key, change in overrides.items():
        where = f"overrides.{safe_text(str(key), 64)}"
        task_id = _task_id(key)
        if task_id not in known:
            problems.append(Problem(where, "there is no such task in this tree", "unknown_task"))
        else:
            checked[str(task_id)] = _change(change, where, problems)
    if problems:
        raise Invalid(problems)
    return checked


def _task_id(key: Any) -> str | None:
    try:
        return str(UUID(str(key)))
    except ValueError:
        return None


def _change(change: Any, where: str, problems: list[Problem]) -> dict[str, Any]:
    if not isinstance(change, dict):
        problems.append(Problem(where, f"expected an object, got {got(change)}", "invalid_type"))
        return {}
    limits = Limits(conf().max_inputs_bytes, conf().max_depth)
    values = {}
    for name, value in change.items():
        path = f"{where}.{safe_text(str(name), 64)}"
        if name in OVERRIDABLE:
            values[name] = CHECKS[name](value, path, limits, problems)
        else:
            remedy = did_you_mean(str(name), OVERRIDABLE) or f"; these can be: {', '.join(OVERRIDABLE)}"
            problems.append(Problem(path, f"cannot be overridden for one run{remedy}", "unknown_field"))
    return values
