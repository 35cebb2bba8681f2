"""What the task page shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext

from dashboard.contexts.common import IGNORED, State, priority_word
from orchestration.domain.explain.provenance import InputOrigin, provenance_words
from orchestration.domain.states import TERMINAL, Display, Status, display_state
from orchestration.domain.story import duration_words
from orchestration.models import Attempt, Task
from orchestration.selectors.lineage import newer_result
from orchestration.selectors.tasks import Neighbour, TaskDetail

SHOWN = 100_000  # characters of a value or log that a page shows


@dataclass(frozen=True, slots=True)
class Field:
    """A resolved input: its value and where it came from."""

    name: str
    value: str
    source: str
    url: str
    shadows: tuple[str, ...]  # values that were there too and not taken, in words


@dataclass(frozen=True, slots=True)
class AttemptLine:
    number: int
    try_number: int
    run_number: int
    run_url: str
    url: str
    state: State
    started_at: datetime
    took: str
    since: float
    worker: str
    here: bool


@dataclass(frozen=True, slots=True)
class EdgeLine:
    name: str
    url: str
    state: State
    kind: str
    verdict: str
    flow: str


@dataclass(frozen=True, slots=True)
class TaskView:
    """Everything about a task."""

    id: str
    name: str
    tree_name: str
    tree_url: str
    run_number: int | None
    run_url: str
    state: State
    executor: str
    priority: str
    percent: int | None
    took: str
    since: float
    timeout: str
    max_attempts: int
    attempts: tuple[AttemptLine, ...]
    fields: tuple[Field, ...]
    result: str
    has_result: bool
    error: str
    error_code: str
    traceback: str
    log: str
    dependencies: tuple[EdgeLine, ...]
    dependents: tuple[EdgeLine, ...]
    params: str
    inputs: str
    active: bool
    priority_value: int
    version: int
    linked_words: str  # of a link: what it shows
    newer: bool  # a link's original has a newer result
    archived: bool
    below_active: bool  # it has ended, but what is under it may still run
    priorities: tuple[str, ...] = ("0 urgent", "1 high", "2 normal", "3 low")


def task_view(detail: TaskDetail) -> TaskView:
    """*detail* ready to be shown."""
    task, attempt = detail.task, detail.attempt
    state = task_state(task) if attempt is None or attempt.number == task.attempt else _attempt_state(attempt)
    running = state.key in {Display.RUNNING, Display.STOPPING}
    if state.key == Display.FAILED and detail.dependents and not any(n.required for n in detail.dependents):
        state = IGNORED
    run = task.run
    return TaskView(
        id=str(task.pk),
        name=task.name,
        tree_name=task.tree.name,
        tree_url=task.tree.get_absolute_url(),
        run_number=run.number if run else None,
        run_url=run.get_absolute_url() if run else "",
        state=state,
        executor=task.executor,
        priority=priority_word(task.priority),
        percent=round(100 * task.progress) if running else None,
        took=_took(attempt),
        since=attempt.started_at.timestamp() if attempt and running else 0,
        timeout=duration_words(task.timeout_s) if task.timeout_s else "",
        max_attempts=task.max_attempts,
        attempts=tuple(_attempt_line(a, task, attempt) for a in detail.attempts),
        fields=_fields(attempt, detail) if attempt else (),
        result=_pretty(attempt.result) if attempt else "",
        has_result=attempt is not None and attempt.status == Status.COMPLETED,
        error=(attempt.error if attempt else task.error) or "",
        error_code=attempt.error_code if attempt else "",
        traceback=attempt.traceback[-SHOWN:] if attempt else "",
        log=attempt.log[-SHOWN:] if attempt else "",
        dependencies=tuple(_edge(n, active=bool(run and run.is_active)) for n in detail.dependencies),
        dependents=tuple(_edge(n, active=bool(run and run.is_active)) for n in detail.dependents),
        params=_pretty(task.params) if task.params else "",
        inputs=_pretty(task.inputs) if task.inputs else "",
        active=bool(run and run.is_active) and task.status in {Status.PENDING, Status.IN_PROGRESS},
        priority_value=task.priority,
        version=task.version,
        linked_words=_linked(attempt) if task.linked_attempt_id else "",
        newer=task.linked_attempt_id is not None and newer_result(task) is not None,
        archived=task.tree.archived_at is not None,
        below_active=bool(run and run.is_active) and task.status in TERMINAL and task.children.exists(),
    )


def task_state(task: Task) -> State:
    """The state of *task* as shape and word."""
    active = bool(task.run and task.run.is_active)
    shown = display_state(
        task.status,
        active=active,
        blocked=task.blocked_by_id is not None,
        ready=task.ready_at is not None,
        retrying=task.retry_at is not None,
        stopping=task.stop_requested_at is not None,
    )
    return State(shown, gettext("not run") if shown == Display.IDLE else str(shown))


def _attempt_state(attempt: Attempt) -> State:
    word = "running" if attempt.status == Status.IN_PROGRESS else attempt.status
    return State(word, word)


def _took(attempt: Attempt | None) -> str:
    if attempt is None:
        return ""
    return duration_words(((attempt.completed_at or timezone.now()) - attempt.started_at).total_seconds())


def _attempt_line(attempt: Attempt, task: Task, shown: Attempt | None) -> AttemptLine:
    return AttemptLine(
        number=attempt.number,
        try_number=attempt.try_number,
        run_number=attempt.run.number,
        run_url=attempt.run.get_absolute_url(),
        url=f"{task.get_absolute_url()}?attempt={attempt.number}",
        state=_attempt_state(attempt),
        started_at=attempt.started_at,
        took=_took(attempt),
        since=attempt.started_at.timestamp() if attempt.completed_at is None else 0,
        worker=attempt.worker,
        here=shown is not None and shown.pk == attempt.pk,
    )


def _fields(attempt: Attempt, detail: TaskDetail) -> tuple[Field, ...]:
    names = {n.id.hex: n.name for n in detail.dependencies}
    provenance = attempt.provenance if isinstance(attempt.provenance, dict) else {}
    origins = {origin.key: origin for origin in provenance_words(provenance, names)}
    inputs = attempt.inputs if isinstance(attempt.inputs, dict) else {}
    return tuple(_field(key, value, origins.get(key), names) for key, value in inputs.items())


def _field(name: str, value: Any, origin: InputOrigin | None, names: dict[str, str]) -> Field:
    words = origin.words.split("; shadows:", 1)[0] if origin else "declared"
    known = origin is not None and origin.task in names
    url = f"/tasks/{UUID(origin.task)}" if known and origin and origin.task else ""
    if origin and origin.task == name.replace("-", ""):
        name = names.get(origin.task, name)  # a result without a key comes in under the id of its task
    return Field(name=name, value=_pretty(value), source=words, url=url, shadows=origin.shadows if origin else ())


def _linked(attempt: Attempt | None) -> str:
    return (
        (gettext("attempt %(number)s of its original") % {"number": attempt.number})
        if attempt
        else gettext("its original")
    )


def _pretty(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return (
        text
        if len(text) <= SHOWN
        else (
            gettext("%(value)s\n… %(value2)s more characters: use the export")
            % {"value": text[:SHOWN], "value2": f"{len(text) - SHOWN:,}"}
        )
    )


def _edge(neighbour: Neighbour, *, active: bool) -> EdgeLine:
    key = Display.WAITING if active and neighbour.state == Display.IDLE else neighbour.state
    word = gettext("not run") if key == Display.IDLE else str(key)
    return EdgeLine(
        name=neighbour.name,
        url=f"/tasks/{neighbour.id}",
        state=State(key, word),
        kind="required" if neighbour.required else "optional",
        verdict=neighbour.verdict,
        flow=neighbour.flow,
    )
