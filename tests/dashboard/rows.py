"""Runs in any state, made by hand: the engine is tested elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from orchestration.domain.states import Kind, Status
from orchestration.models import Attempt, Event, Run, Task, Tree
from orchestration.services.runs import run_start


def start(tree: Tree) -> Run:
    """An active run of *tree*, of which nothing has started."""
    return run_start(user=tree.owner, tree_id=tree.pk)


def end_task(run: Run, task: Task, status: Status = Status.COMPLETED, **fields: Any) -> None:
    """Record that *task* ended in *run*, as the engine would: attempt, state, counts and event in one go."""
    now = timezone.now()
    number = task.attempt + 1
    Attempt.objects.create(
        task=task,
        run=run,
        number=number,
        status=status,
        started_at=now - timedelta(seconds=2),
        completed_at=now,
        **fields,
    )
    Task.objects.filter(pk=task.pk).update(
        status=status, attempt=number, ready_at=None, error=fields.get("error"), started_at=now, completed_at=now
    )
    run.refresh_from_db()
    counts = {status.value: getattr(run, status.value) + 1}
    Run.objects.filter(pk=run.pk).update(seq=run.seq + 1, **counts)
    kind = {Status.COMPLETED: Kind.TASK_COMPLETED, Status.FAILED: Kind.TASK_FAILED}[status]
    Event.objects.create(run=run, seq=run.seq + 1, kind=kind, task_id=task.pk, at=now)


def end_run(run: Run, status: Status) -> Run:
    """Record that *run* ended."""
    now = timezone.now()
    run.refresh_from_db()
    Run.objects.filter(pk=run.pk).update(status=status, completed_at=now, seq=run.seq + 1)
    kind = {Status.COMPLETED: Kind.RUN_COMPLETED, Status.FAILED: Kind.RUN_FAILED}[status]
    Event.objects.create(run=run, seq=run.seq + 1, kind=kind, at=now)
    run.refresh_from_db()
    return run
