"""What a run has come to: all its results at once, a full report, and the little that a watcher needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from orchestration.domain.states import Status
from orchestration.models import Attempt, Run, Task

COUNTED = ("running", "completed", "failed", "cancelled", "blocked")
NAMED = 10  # running and failed tasks that a watcher shows


@dataclass(frozen=True, slots=True)
class Glance:
    """A run as it is now."""

    status: Status
    number: int
    tree: str  # its name
    counts: dict[str, int]
    running: list[tuple[str, float]]  # (name, progress) of up to NAMED tasks
    failed: list[tuple[str, str]]  # (name, error) of up to NAMED tasks
    elapsed_s: float

    @property
    def ended(self) -> int:
        """Tasks that nothing more will happen to."""
        return self.counts["total"] - self.counts["pending"] - self.counts["running"]


def results_of_run(run_id: int) -> dict[str, Any]:
    """Task id (with hyphens) -> result of its newest completed attempt in the run. One query.

    Tasks without a completed attempt in this run (groups, failed, reused ones) are absent.
    """
    completed = Attempt.objects.filter(run_id=run_id, status=Status.COMPLETED, result__isnull=False)
    texts = completed.order_by("number").values_list(Cast("task_id", TextField()), Cast("result", TextField()))
    found = dict(texts)  # the newest attempt of a task is the last one read
    values = orjson.loads("[" + ",".join(found.values()) + "]")  # one call: it is the reading that costs
    return dict(zip(map(_hyphenated, found), values, strict=True))


def _hyphenated(task_id: str) -> str:
    """A database's text of a uuid (32 digits on SQLite) as people see it."""
    i = task_id.replace("-", "")
    return f"{i[:8]}-{i[8:12]}-{i[12:16]}-{i[16:20]}-{i[20:]}"


def glance_at(run_id: int) -> Glance:
    """The run in brief. Three queries, however large it is."""
    run = Run.objects.select_related("tree").get(pk=run_id)
    tasks = Task.objects.filter(run=run).order_by("position")
    running = tasks.filter(status=Status.IN_PROGRESS).values_list("name", "progress")[:NAMED] if run.running else []
    failed = tasks.filter(status=Status.FAILED).values_list("name", "error")[:NAMED] if run.failed else []
    return Glance(
        status=Status(run.status),
        number=run.number,
        tree=run.tree.name,
        counts=_counts(run),
        running=list(running),
        failed=[(name, error or "") for name, error in failed],
        elapsed_s=_seconds(run),
    )


def report_of_run(run_id: int) -> dict[str, Any]:
    """The run as JSON data: how it is, its counts, and every task of the tree in outline order with its result."""
    run = Run.objects.get(pk=run_id)
    results = results_of_run(run_id)
    tasks = Task.objects.filter(tree_id=run.tree_id).order_by("position")
    rows = tasks.values_list("id", "name", "status", "attempt", "error")
    return {
        "run": run.pk,
        "tree": run.tree_id,
        "status": run.status,
        "counts": _counts(run),
        "duration_s": round(_seconds(run), 3),
        "tasks": [
            {
                "id": str(task_id),
                "name": name,
                "status": status,
                "attempt": attempt,
                "error": error,
                "result": results.get(str(task_id)),
            }
            for task_id, name, status, attempt, error in rows
        ],
    }


def _counts(run: Run) -> dict[str, int]:
    return {"total": run.total, "pending": run.pending} | {name: getattr(run, name) for name in COUNTED}


def _seconds(run: Run) -> float:
    return max(0.0, ((run.completed_at or timezone.now()) - run.started_at).total_seconds())
