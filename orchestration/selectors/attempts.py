"""Reads of attempts that the engine needs."""

from __future__ import annotations

from orchestration.domain.states import Status
from orchestration.models import Attempt


def live_attempts(*, worker: str | None = None, except_worker: str | None = None) -> list[tuple[int, str, int, str]]:
    """Every attempt in progress, of one worker or of all others: (run id, task id as 32 hex digits, number, worker)."""
    attempts = Attempt.objects.filter(status=Status.IN_PROGRESS.value)
    if worker is not None:
        attempts = attempts.filter(worker=worker)
    if except_worker is not None:
        attempts = attempts.exclude(worker=except_worker)
    rows = attempts.order_by("id").values_list("run_id", "task_id", "number", "worker")
    return [(run_id, task_id.hex, number, name) for run_id, task_id, number, name in rows]
