"""Methods about the server."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from orchestration.executors.registry import all_executors
from orchestration.rpc.params import Params
from orchestration.rpc.reading import running_count

VERSION = "1"  # of this door


def health(user: Any, _params: Params) -> Any:
    """That the server answers, and how many of your trees run."""
    running = running_count(user, Params({}))["count"]
    return {
        "status": "healthy",
        "message": "apflow is running",
        "version": VERSION,
        "timestamp": timezone.now().isoformat(),
        "running_tasks_count": running,
    }


def executors(_user: Any, _params: Params) -> Any:
    """The executors of this server."""
    found = [
        {
            "id": executor.id,
            "name": executor.name,
            "description": executor.description,
            "tags": [],
            "dependencies": [],
            "available": True,
            "input_schema": executor.input_schema,
        }
        for executor in all_executors()
    ]
    return {"executors": found, "count": len(found), "restricted": False}
