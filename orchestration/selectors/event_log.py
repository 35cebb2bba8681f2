"""The event log held against the rows: what a run's events tell, and where the rows say something else."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction
from django.db.models import Count, Max, Min

from orchestration.domain.fold import Story, TaskStory, Told, fold
from orchestration.domain.states import TERMINAL, Status
from orchestration.models import Attempt, Event, Run, Task

CHUNK = 2000
TASK_COLUMNS = ("id", "status", "attempt", "blocked_by_id", "error", "stop_requested_at", "ready_at")
MAX_FAULTS = 50


def run_ids() -> Iterator[int]:
    """The runs that have events, newest first; the one of an archive has none."""
    return Run.objects.filter(seq__gt=0).order_by("-pk").values_list("pk", flat=True).iterator(CHUNK)


@transaction.atomic
def run_faults(run_id: int) -> list[str] | None:
    """What is wrong with the run's events or rows, in words, at most 50; None if there is no such run."""
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        return None
    if not run.seq and not Event.objects.filter(run=run).exists():
        return []
    story = fold(_told(run.pk))
    found = [*story.faults, *_run_differences(run, story), *_task_differences(run, story)]
    found += _attempt_differences(run, story)
    return found[:MAX_FAULTS]


def gaps(newest: int) -> list[int]:
    """Of the *newest* runs those whose events are not numbered 1, 2, 3 ... to the run's own number. Two queries."""
    seqs = dict(Run.objects.order_by("-pk").values_list("pk", "seq")[:newest])
    rows = Event.objects.filter(run_id__in=seqs).order_by().values("run_id")
    seen = {r["run_id"]: (r["n"], r["low"], r["high"]) for r in rows.annotate(
        n=Count("pk"), low=Min("seq"), high=Max("seq"))}  # fmt: skip
    return [run_id for run_id, seq in seqs.items() if seen.get(run_id, (0, 1, 0)) != (seq, 1, seq)]


def _told(run_id: int) -> Iterator[Told]:
    rows = Event.objects.filter(run_id=run_id).order_by("seq")
    for seq, kind, task_id, attempt, data in rows.values_list("seq", "kind", "task_id", "attempt", "data").iterator(
        CHUNK
    ):
        yield Told(seq, kind, None if task_id is None else task_id.hex, attempt, data)


def _run_differences(run: Run, story: Story) -> Iterator[str]:
    if run.seq != story.seq:
        yield f"the run counts {run.seq} events, the newest one is {story.seq}"
    if run.status != story.status:
        yield f"the run is {run.status}, its events say {story.status}"
    told = {
        "running": story.count(Status.IN_PROGRESS),
        "completed": story.count(Status.COMPLETED),
        "failed": story.count(Status.FAILED),
        "cancelled": story.count(Status.CANCELLED),
        "blocked": story.blocked,
    }
    for name, number in told.items():
        if getattr(run, name) != number:
            yield f"the run counts {getattr(run, name)} {name} tasks, its events {number}"


def _task_differences(run: Run, story: Story) -> Iterator[str]:
    """Only the tasks whose newest run this is still say what it did."""
    for task_id, status, attempt, blocked, error, stop, ready in Task.objects.filter(run=run).values_list(
        *TASK_COLUMNS
    ):
        told = story.tasks.get(task_id.hex, TaskStory())
        rows = {
            "status": (status, told.status),
            "attempt": (attempt, told.attempt or attempt),
            "blocked_by": (None if blocked is None else blocked.hex, told.blocked_by),
            "error": (error, told.error),
            "stopping": (stop is not None, told.stopping),
            "ready": (ready is not None, told.ready),
        }
        for name, (row, events) in rows.items():
            if row != events:
                shown = "is another one" if name == "error" else f"is {row}, the events say {events}"
                yield f"task {task_id}: {name} {shown}"


def _attempt_differences(run: Run, story: Story) -> Iterator[str]:
    rows = Attempt.objects.filter(run=run).values_list("task_id", "number", "status")
    stored = {(task_id.hex, number): status for task_id, number, status in rows}
    present = {task_id.hex for task_id in Task.objects.filter(tree=run.tree_id).values_list("pk", flat=True)}
    for (task, number), told in story.attempts.items():
        status = stored.pop((task, number), None)
        if status is None:
            if task in present:
                yield f"task {task}: attempt {number} is missing"
        elif status != told and not (told is None and status in TERMINAL):
            yield f"task {task}: attempt {number} is {status}, the events say {told or 'that it ended'}"
    for task, number in stored:
        yield f"task {task}: no event tells of attempt {number}"
