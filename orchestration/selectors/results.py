"""All results of a run at once."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import TextField
from django.db.models.functions import Cast

from orchestration.domain.states import Status
from orchestration.models import Attempt


def results_of_run(run_id: int) -> dict[str, Any]:
    """Task id (with hyphens) -> result of its newest completed attempt in the run. One query.

    Tasks without a completed attempt in this run (groups, failed, reused ones) are absent.
    """
    completed = Attempt.objects.filter(run_id=run_id, status=Status.COMPLETED)
    rows = completed.order_by("number").annotate(text=Cast("result", TextField())).values_list("task_id", "text")
    return _parsed(rows.iterator(chunk_size=2000))


def _parsed(rows: Any) -> dict[str, Any]:
    load = json.loads
    return {str(task_id): None if text is None else load(text) for task_id, text in rows}
