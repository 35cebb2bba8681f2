"""Reads of attempts that the engine needs."""

from __future__ import annotations

from orchestration.domain.states import Status, WorkerKind
from orchestration.models import Attempt, Worker


def live_attempts(*, worker: str | None = None, except_worker: str | None = None) -> list[tuple[int, str, int, str]]:
    """Every attempt in progress, of one worker or of all others: (run id, task id as 32 hex digits, number, worker)."""
    attempts = Attempt.objects.filter(status=Status.IN_PROGRESS.value)
    if worker is not None:
        attempts = attempts.filter(worker=worker)
    if except_worker is not None:
        attempts = attempts.exclude(worker=except_worker)
    rows = attempts.order_by("id").values_list("run_id", "task_id", "number", "worker")
    return [(run_id, task_id.hex, number, name) for run_id, task_id, number, name in rows]


def abandoned_attempts(engine: str) -> list[tuple[int, str, int]]:
    """Every attempt in progress inside another engine's process than *engine*: (run id, task id, number).

    There is one engine at a time, so the other one has ended. What workers hold or may pick up has a lease.
    """
    attempts = Attempt.objects.filter(status=Status.IN_PROGRESS.value).exclude(worker__in=["", engine])
    attempts = attempts.exclude(worker__in=Worker.objects.filter(kind=WorkerKind.WORKER.value).values("id"))
    rows = attempts.order_by("id").values_list("run_id", "task_id", "number")
    return [(run_id, task_id.hex, number) for run_id, task_id, number in rows]
