"""What one run does differently: inputs, priority or timeout of single tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from orchestration.conf import conf
from orchestration.domain.errors import Forbidden, Invalid, Problem
from orchestration.domain.json_gate import safe_text
from orchestration.domain.secrets import names_in
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


def forbid_borrowed(overrides: Mapping[str, Any], tree: Tree, *, by_owner: bool) -> None:
    """Raises Forbidden (secret_borrowed) when somebody else than the tree's owner could make a secret of the owner go
    where it was not meant to: by naming it, or by other inputs for a task that uses one."""
    changed = {task_id: change["inputs"] for task_id, change in overrides.items() if change.get("inputs")}
    if by_owner or not changed:
        return
    if names_in(list(changed.values())):
        raise Forbidden("only the owner of a tree can name secrets in the inputs of a run", code="secret_borrowed")
    for task in Task.objects.filter(tree=tree, pk__in=list(changed)):
        if names_in([task.inputs, task.params]):
            message = f"'{safe_text(task.name, 64)}' uses a secret: only the owner of the tree can give it other inputs"
            raise Forbidden(message, code="secret_borrowed")


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
