"""The fields of a plan or a copy: what a person changes per task, checked, with the problems at their fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, QueryDict

from dashboard.contexts.plan import Asked, Texts, hex_id
from dashboard.forms import number_of, search_of
from orchestration.conf import conf
from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.json_gate import parse_json
from orchestration.domain.states import Mode
from orchestration.domain.task_fields import CHECKS, Limits
from orchestration.models import Task

MAX_CHOSEN = 500

type Found = tuple[dict[str, dict[str, Any]], dict[str, Texts], dict[str, list[str]]]


def asked_plan(query: QueryDict, *, default: str) -> Asked:
    """What the address of a plan asks for; what cannot be understood is left out."""
    mode = query.get("mode", "")
    chosen = dict.fromkeys(hex_id(text) for text in query.getlist("task")[:MAX_CHOSEN])
    return Asked(
        mode=mode if mode in set(Mode) else default,
        chosen=tuple(task_id for task_id in chosen if task_id),
        start=number_of(query.get("start")) or 0,
        search=search_of(query),
        only_runs=query.get("only") == "runs",
    )


def posted_overrides(request: HttpRequest, tasks: Mapping[str, Task]) -> Found:
    """(overrides, texts, problems), each per task, of the fields inputs-<id>, priority-<id>, timeout-<id>.

    An override holds only what differs from the declaration. *tasks*: those that may be named.
    """
    overrides: dict[str, dict[str, Any]] = {}
    texts: dict[str, Texts] = {}
    problems: dict[str, list[str]] = {}
    for task_id, task in tasks.items():
        if f"inputs-{task_id}" not in request.POST:
            continue
        told = Texts(
            inputs=request.POST[f"inputs-{task_id}"],
            priority=request.POST.get(f"priority-{task_id}", ""),
            timeout_s=request.POST.get(f"timeout-{task_id}", ""),
            changed=True,
        )
        wrong: list[Problem] = []
        change = _inputs(told.inputs, task, wrong) | _numbers(told, task, wrong)
        if change or wrong:
            texts[task_id] = told
        if wrong:
            problems[task_id] = [problem.message for problem in wrong]
        elif change:
            overrides[task_id] = change
    return overrides, texts, problems


def _inputs(text: str, task: Task, wrong: list[Problem]) -> dict[str, Any]:
    value = json_object(text, wrong)
    if value is None or value == task.inputs:
        return {}
    gone = [key for key in task.inputs if key not in value]
    if gone:
        named = ", ".join(gone[:3])
        wrong.append(Problem("inputs", f"a run cannot remove inputs ({named}): set them to null, or edit the task"))
        return {}
    changed = {key: given for key, given in value.items() if key not in task.inputs or given != task.inputs[key]}
    return {"inputs": changed}


def json_object(text: str, wrong: list[Problem]) -> dict[str, Any] | None:
    """The JSON object that *text* is ("" is an empty one); None, with a problem added to *wrong*, if it is none."""
    limits = Limits(conf().max_inputs_bytes, conf().max_depth)
    try:
        value = parse_json(text.strip() or "{}", max_bytes=limits.max_bytes, max_depth=limits.max_depth)
    except Invalid as error:
        wrong.extend(error.problems)
        return None
    count = len(wrong)
    checked: dict[str, Any] = CHECKS["inputs"](value, "inputs", limits, wrong)
    return checked if len(wrong) == count else None


def _numbers(told: Texts, task: Task, wrong: list[Problem]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, text, old, read in (
        ("priority", told.priority, task.priority, _whole),
        ("timeout_s", told.timeout_s, task.timeout_s, _real),
    ):
        value = read(text.strip())
        if value is not None and value != old:
            found[key] = checked_field(key, value, wrong)
    if task.timeout_s is not None and not told.timeout_s.strip():
        found["timeout_s"] = None  # back to the setting
    return found


def checked_field(key: str, value: Any, wrong: list[Problem]) -> Any:
    """*value* by the rule for field *key* of a task."""
    check: Callable[..., Any] = CHECKS[key]
    return check(value, key, Limits(conf().max_inputs_bytes, conf().max_depth), wrong)


def _whole(text: str) -> Any:
    """A number if it is one, else the text itself, for the check to complain about; None for nothing."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else text


def _real(text: str) -> Any:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return text
