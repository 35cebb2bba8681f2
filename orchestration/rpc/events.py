"""A run as the protocol streams it: one JSON object per frame, and only the last one of the run is final."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async

from orchestration.domain.errors import NotFound
from orchestration.domain.states import Kind, Status
from orchestration.models import Attempt
from orchestration.streams import KEEPALIVE_S, AccessLost, Allowed, follow

TYPES: dict[str, tuple[str, Status]] = {
    Kind.RUN_STARTED: ("progress", Status.IN_PROGRESS),
    Kind.TASK_STARTED: ("task_start", Status.IN_PROGRESS),
    Kind.TASK_PROGRESS: ("progress", Status.IN_PROGRESS),
    Kind.TASK_COMPLETED: ("task_completed", Status.COMPLETED),
    Kind.TASK_FAILED: ("task_failed", Status.FAILED),
    Kind.TASK_CANCELLED: ("task_cancelled", Status.CANCELLED),
    Kind.TASK_BLOCKED: ("task_blocked", Status.PENDING),
    Kind.TASK_RETRYING: ("task_retrying", Status.PENDING),
    Kind.RUN_COMPLETED: ("final", Status.COMPLETED),
    Kind.RUN_FAILED: ("final", Status.FAILED),
    Kind.RUN_CANCELLED: ("final", Status.CANCELLED),
}
FINAL = "final"


async def stream(first: dict[str, Any], run_id: int, root_id: str, allowed: Allowed) -> AsyncIterator[str]:
    """*first* (the JSON-RPC answer), then the run's events to its end, then `stream_end`."""
    yield _frame(first)
    spoke = time.monotonic()
    try:
        async with contextlib.aclosing(follow(run_id, 0, allowed)) as pages:
            async for told in pages:
                shown = await database_sync_to_async(shaped)(run_id, root_id, told.events) if told.events else []
                if shown:
                    yield "".join(_frame(event) for event in shown)
                elif time.monotonic() - spoke >= KEEPALIVE_S:
                    yield ": keepalive\n\n"
                else:
                    continue
                spoke = time.monotonic()
    except (AccessLost, NotFound):
        yield _frame({"type": "error", "root_task_id": root_id, "error": "the run is out of your reach", "final": True})
    yield _frame({"type": "stream_end", "root_task_id": root_id, "task_id": root_id})


def shaped(run_id: int, root_id: str, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The *events* that the protocol knows, in its shape. One query."""
    ended = {(e["task"], e["attempt"]) for e in events if e["kind"] == Kind.TASK_COMPLETED}
    rows = Attempt.objects.filter(run=run_id, task__in=[UUID(task) for task, _ in ended], status=Status.COMPLETED)
    results = {(str(pk), number): result for pk, number, result in rows.values_list("task_id", "number", "result")}
    return [_shape(event, root_id, results) for event in events if event["kind"] in TYPES]


def _shape(event: dict[str, Any], root_id: str, results: dict[tuple[str, int], Any]) -> dict[str, Any]:
    kind, (name, status) = event["kind"], TYPES[event["kind"]]
    data = event["data"]
    shown = {
        "type": name,
        "task_id": event["task"] or root_id,
        "root_task_id": root_id,
        "status": status,
        "timestamp": event["at"],
        "seq": event["seq"],
        "final": name == FINAL,
    }
    if kind == Kind.RUN_STARTED:
        shown |= {"progress": 0.0, "message": "Task tree execution started"}
    if kind == Kind.TASK_PROGRESS:
        shown["progress"] = data.get("progress", 0.0)
    if kind == Kind.TASK_COMPLETED:
        shown |= {"progress": 1.0, "result": results.get((event["task"], event["attempt"]))}
    if kind == Kind.RUN_COMPLETED:
        shown |= {"progress": 1.0, "result": {"progress": 1.0}}
    return shown | {key: data[key] for key in ("error", "message", "blocked_by") if key in data}


def _frame(event: dict[str, Any]) -> str:
    # json.dumps leaves no line break in the text, so no value can end the frame early
    return f"data: {json.dumps(event)}\n\n"
