"""The form for a task's definition: texts, and what they mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dashboard.form_plan import json_object
from orchestration.domain.errors import Problem
from orchestration.models import Task

JSON_FIELDS = ("inputs", "params", "backoff")
NUMBERS = ("priority", "max_attempts", "timeout_s")
FIELDS = ("name", *NUMBERS, *JSON_FIELDS)


def form_of(task: Task) -> dict[str, str]:
    """The texts of the form for *task* as it is stored."""
    texts = {key: json.dumps(getattr(task, key), indent=2, ensure_ascii=False) for key in JSON_FIELDS}
    timeout = "" if task.timeout_s is None else f"{task.timeout_s:g}"
    numbers = {"priority": str(task.priority), "max_attempts": str(task.max_attempts), "timeout_s": timeout}
    return {"name": task.name, **numbers, **texts, "version": str(task.version)}


def posted_form(post: Mapping[str, str]) -> dict[str, str]:
    """The texts that came back, with the line ends that browsers change put back."""
    return {key: post.get(key, "").replace("\r\n", "\n") for key in (*FIELDS, "version")}


def task_changes(texts: Mapping[str, str], task: Task) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """(field -> value of what differs from *task*, field -> what is wrong with its text)."""
    changes: dict[str, Any] = {}
    problems: dict[str, list[str]] = {}
    for key in JSON_FIELDS:
        wrong: list[Problem] = []
        value = json_object(texts[key], wrong)
        if wrong:
            problems[key] = [problem.message for problem in wrong]
        elif value != getattr(task, key):
            changes[key] = value
    values = {"name": texts["name"], **{key: _number(texts[key].strip(), whole=key != "timeout_s") for key in NUMBERS}}
    changes |= {key: value for key, value in values.items() if value != getattr(task, key)}
    return changes, problems


def _number(text: str, *, whole: bool) -> Any:
    """A number if it is one; None for nothing; else the text, which the service will refuse in words."""
    if not text:
        return None
    try:
        return int(text) if whole else float(text)
    except ValueError:
        return text
