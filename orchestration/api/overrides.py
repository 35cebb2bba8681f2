"""Changes for one run: checked here, because the engine takes them as they are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from orchestration.conf import conf
from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.json_gate import safe_text
from orchestration.domain.task_fields import CHECKS, Limits, did_you_mean, got
from orchestration.models import Task

FIELDS = ("inputs", "priority", "timeout_s")


def read_run_overrides(tree_id: int, given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Task id -> changes, fit to be stored with a run of the tree. Raises Invalid with all problems. One query."""
    if not given:
        return {}
    known = {str(pk) for pk in Task.objects.filter(tree=tree_id).values_list("pk", flat=True)}
    limits = Limits(conf().max_inputs_bytes, conf().max_depth)
    problems: list[Problem] = []
    found = {}
    for key, changes in given.items():
        path = f"overrides.{safe_text(key, 40)}"
        task_id = _uuid(key)
        if task_id not in known:
            problems.append(Problem(path, "no such task in this tree", "unknown_task"))
        elif not isinstance(changes, dict):
            problems.append(
                Problem(path, f'expected fields such as {{"priority": 1}}, got {got(changes)}', "invalid_type")
            )
        else:
            found[task_id] = _read(changes, path, limits, problems)
    if problems:
        raise Invalid(problems)
    return found


def _read(changes: dict[str, Any], path: str, limits: Limits, problems: list[Problem]) -> dict[str, Any]:
    values = {}
    for name, value in changes.items():
        where = f"{path}.{safe_text(name, 40)}"
        if name in FIELDS:
            values[name] = CHECKS[name](value, where, limits, problems)
        else:
            remedy = did_you_mean(name, FIELDS) or f"; these can be changed: {', '.join(FIELDS)}"
            problems.append(Problem(where, f"cannot be changed here{remedy}", "unknown_field"))
    return values


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""
