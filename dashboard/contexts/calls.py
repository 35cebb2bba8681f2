"""The API call behind each button, as a curl line."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from orchestration.models import Task


@dataclass(frozen=True, slots=True)
class Call:
    """What a button does, as a program would ask for it."""

    word: str
    line: str


def task_calls(task: Task, base: str, *, allowed: bool) -> tuple[Call, ...]:
    """The calls for *task*; *base*: scheme and host of this server; *allowed*: the user may run its tree."""
    api, task_id, tree = f"{base}/api/v1", str(task.pk), task.tree_id
    runs = f"{api}/trees/{tree}/runs/"
    read = Call("Read it", _curl("GET", f"{api}/tasks/{task_id}/"))
    if not allowed:
        return (read,)
    return (
        read,
        Call("Run from here", _curl("POST", runs, {"mode": "from", "chosen": [task_id]})),
        Call("Run only this", _curl("POST", runs, {"mode": "only", "chosen": [task_id]})),
        Call("Cancel it", _curl("POST", f"{api}/tasks/{task_id}/cancel/", {"reason": ""})),
        Call("Change its priority", _curl("POST", f"{api}/tasks/{task_id}/priority/", {"priority": task.priority})),
    )


def _curl(method: str, url: str, body: dict[str, Any] | None = None) -> str:
    parts = ["curl", "-X", method, "-H", '"Authorization: Bearer $APFLOW_TOKEN"']
    if body is not None:
        parts += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(json.dumps(body))]
    return " ".join([*parts, shlex.quote(url)])
