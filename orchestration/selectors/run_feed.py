"""Reads for the tabs of the run page: events in windows, inputs and results per task, and runs to compare with."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, TextField
from django.db.models.functions import Cast, Length, Substr

from orchestration.domain.graph import closure
from orchestration.domain.states import Kind, Mode, Status
from orchestration.models import Attempt, Dependency, Event, Run, Task
from orchestration.models.choices import TERMINAL_VALUES

FEED = 100  # events of a page
DATA = 50  # tasks of a page of inputs and results
EXCERPT = 4000  # characters of a value that are read for a page
CHOICES = 50  # runs that are offered for a comparison

PROBLEMS = (
    Kind.TASK_FAILED, Kind.TASK_BLOCKED, Kind.TASK_RETRYING, Kind.TASK_CANCELLED, Kind.LATE_RESULT, Kind.RUN_FAILED,
    Kind.RUN_CANCELLING, Kind.RUN_CANCELLED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """An event with the name of its task."""

    seq: int
    kind: str
    at: Any
    attempt: int | None
    task_id: UUID | None
    name: str
    data: dict[str, Any]
    other: str  # name of the task that `data` refers to


@dataclass(frozen=True, slots=True)
class Values:
    """What one task got and gave in a run, as JSON text, cut to EXCERPT characters."""

    task_id: UUID
    name: str
    position: int
    number: int
    status: str
    inputs: str
    inputs_length: int
    provenance: dict[str, Any]
    result: str | None
    result_length: int
    error: str


def event_feed(run: Run, *, before: int | None = None, problems: bool = False) -> list[FeedEvent]:
    """Up to FEED + 1 events, newest first, older than event number *before* (keyset). Two queries."""
    events = Event.objects.filter(run=run)
    if before is not None:
        events = events.filter(seq__lt=before)
    if problems:
        events = events.filter(kind__in=PROBLEMS)
    found = list(events.order_by("-seq")[: FEED + 1])
    names = _names(found)
    return [
        FeedEvent(
            event.seq, event.kind, event.at, event.attempt, event.task_id, names.get(_hex(event.task_id), ""),
            event.data, names.get(_hex(event.data.get("blocked_by")), ""),
        )
        for event in found
    ]  # fmt: skip


def _names(events: Iterable[Event]) -> dict[str, str]:
    ids = {_hex(e.task_id) for e in events} | {_hex(e.data.get("blocked_by")) for e in events}
    rows = Task.objects.filter(pk__in=[UUID(task_id) for task_id in ids if task_id]).values_list("pk", "name")
    return {task_id.hex: name for task_id, name in rows}


def _hex(value: Any) -> str:
    return str(value).replace("-", "") if value else ""


def run_values(run: Run, start: int = 0) -> tuple[list[Values], int | None]:
    """(what the tasks from position *start* got and gave in *run*, position of the next page or None). One query."""
    later = Attempt.objects.filter(task=OuterRef("task"), run=run, number__gt=OuterRef("number"))
    newest = Attempt.objects.filter(~Exists(later), run=run, task__position__gte=start).exclude(executor="")
    texts = newest.annotate(
        inputs_text=Cast("inputs", TextField()),
        result_text=Cast("result", TextField()),
    ).annotate(
        shown_inputs=Substr("inputs_text", 1, EXCERPT),
        inputs_length=Length("inputs_text"),
        shown_result=Substr("result_text", 1, EXCERPT),
        result_length=Length("result_text"),
    )
    columns = (
        "task_id", "task__name", "task__position", "number", "status", "shown_inputs", "inputs_length", "provenance",
        "shown_result", "result_length", "error",
    )  # fmt: skip
    rows = list(texts.order_by("task__position").values_list(*columns)[: DATA + 1])
    found = [
        Values(task, name, place, number, status, given or "", length or 0, origin, result, size or 0, error or "")
        for task, name, place, number, status, given, length, origin, result, size, error in rows
    ]
    return found[:DATA], found[DATA].position if len(found) > DATA else None


def last_good_run(run: Run) -> Run | None:
    """The newest completed run of the whole tree before *run*."""
    earlier = Run.objects.filter(tree=run.tree_id, number__lt=run.number, status=Status.COMPLETED, mode=Mode.ALL)
    return earlier.order_by("-number").first()


def other_runs(run: Run) -> list[Run]:
    """Runs of the same tree to compare *run* with, newest first."""
    return list(Run.objects.filter(tree=run.tree_id).exclude(pk=run.pk).order_by("-number")[:CHOICES])


def changed_values(run: Run, ids: Collection[UUID]) -> dict[str, tuple[dict[str, Any], str | None]]:
    """Task (32 hex digits) -> (resolved inputs, start of the result as JSON text) of its newest attempt in *run*."""
    rows = Attempt.objects.filter(run=run, task__in=ids).annotate(text=Substr(Cast("result", TextField()), 1, 200))
    found = rows.order_by("number").values_list("task_id", "inputs", "text")
    return {task_id.hex: (inputs, text) for task_id, inputs, text in found}


def affected(run: Run, shown: int = 12) -> dict[str, tuple[list[str], int]]:
    """What a cancel of *run* stops: running and waiting -> (first names, how many). Four queries."""
    tasks = Task.objects.filter(run=run)
    return affected_of(tasks, shown)


def affected_of(tasks: Any, shown: int = 12) -> dict[str, tuple[list[str], int]]:
    """As `affected`, of any set of tasks."""
    parts = {
        "running": tasks.filter(status=Status.IN_PROGRESS),
        "waiting": tasks.filter(status=Status.PENDING, blocked_by=None),
    }
    return {
        word: (list(part.order_by("position").values_list("name", flat=True)[:shown]), part.count())
        for word, part in parts.items()
    }


def subtree(task: Task) -> Any:
    """The task and everything under it, as a query."""
    below = Q(position__gte=task.position)
    after = Task.objects.filter(tree=task.tree_id, position__gt=task.position, depth__lte=task.depth)
    end = after.order_by("position").values_list("position", flat=True).first()
    if end is not None:
        below &= Q(position__lt=end)
    return Task.objects.filter(below, tree=task.tree_id)


def downstream_names(task: Task, chosen: Any, shown: int = 12) -> tuple[list[str], int]:
    """(first names, count) of what cannot run without the tasks *chosen*: pending tasks of the same run that require
    them, directly or not. Two queries and a walk."""
    rows = Dependency.objects.filter(task__run=task.run_id, required=True).values_list("task_id", "depends_on_id")
    needing: dict[UUID, list[UUID]] = {}
    for waiting, awaited in rows:
        needing.setdefault(awaited, []).append(waiting)
    start = set(chosen.exclude(status__in=TERMINAL_VALUES).values_list("pk", flat=True))
    hit = closure(start, needing) - start
    found = Task.objects.filter(run=task.run_id, status=Status.PENDING, blocked_by=None).order_by("position")
    names = [name for pk, name in found.values_list("pk", "name") if pk in hit]
    return names[:shown], len(names)


def names_in(keys: Collection[str]) -> dict[str, str]:
    """Names of the tasks whose ids are among *keys*, by 32 hex digits: results come in under the id of their task."""
    ids = [UUID(key) for key in keys if len(key) == 36 and re.fullmatch(r"[0-9a-f-]+", key) and key.count("-") == 4]
    return {pk.hex: name for pk, name in Task.objects.filter(pk__in=ids).values_list("pk", "name")}
