"""What the task page shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from dashboard.contexts.common import State, priority_word
from orchestration.domain.states import Display, Status, display_state
from orchestration.domain.story import duration_words
from orchestration.models import Attempt, Task
from orchestration.selectors.tasks import Neighbour, TaskDetail

SHOWN = 100_000  # characters of a value or log that a page shows


@dataclass(frozen=True, slots=True)
class Field:
    """A resolved input: its value and where it came from."""

    name: str
    value: str
    source: str
    url: str
    shadows: str


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
    why: str


def task_view(detail: TaskDetail) -> TaskView:
    """*detail* ready to be shown."""
    task, attempt = detail.task, detail.attempt
    state = task_state(task) if attempt is None or attempt.number == task.attempt else _attempt_state(attempt)
    running = state.key in {Display.RUNNING, Display.STOPPING}
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
        dependencies=tuple(_edge(n) for n in detail.dependencies),
        dependents=tuple(_edge(n) for n in detail.dependents),
        params=_pretty(task.params) if task.params else "",
        inputs=_pretty(task.inputs) if task.inputs else "",
        active=bool(run and run.is_active) and task.status in {Status.PENDING, Status.IN_PROGRESS},
        why=_why(task, detail),
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
    return State(shown, "not run" if shown == Display.IDLE else str(shown))


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
    names = {n.id.hex: n for n in detail.dependencies}
    origin = attempt.provenance if isinstance(attempt.provenance, dict) else {}
    inputs = attempt.inputs if isinstance(attempt.inputs, dict) else {}
    return tuple(_field(key, value, origin.get(key), names) for key, value in inputs.items())


def _field(name: str, value: Any, origin: Any, names: dict[str, Neighbour]) -> Field:
    origin = origin if isinstance(origin, dict) else {}
    source, url = str(origin.get("source", "declared")), ""
    if source == "dependency":
        giver = names.get(str(origin.get("task", "")).replace("-", ""))
        path = str(origin.get("path") or "")
        source = f"result of {giver.name if giver else 'a dependency'}{f' → {path}' if path else ''}"
        url = f"/tasks/{giver.id}" if giver else ""
    elif source == "override":
        source = "given for this run"
    shadows = origin.get("shadows") or []
    hidden = f"{len(shadows)} other value(s) not taken" if isinstance(shadows, list) and shadows else ""
    return Field(name=name, value=_pretty(value), source=source, url=url, shadows=hidden)


def _pretty(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n… {len(text) - SHOWN:,} more characters: use the export"


def _edge(neighbour: Neighbour) -> EdgeLine:
    word = "not run" if neighbour.state == Display.IDLE else str(neighbour.state)
    return EdgeLine(
        name=neighbour.name,
        url=f"/tasks/{neighbour.id}",
        state=State(neighbour.state, word),
        kind="required" if neighbour.required else "optional",
        verdict=neighbour.verdict,
        flow=neighbour.flow,
    )


def _why(task: Task, detail: TaskDetail) -> str:
    if task.status != Status.PENDING or task.run is None:
        return ""
    if task.blocked_by is not None:
        return f"It will not run in this run: required “{task.blocked_by.name}” did not complete."
    if not task.run.is_active:
        return ""
    if task.ready_at is not None:
        return "It is ready and waits for a free slot."
    waits = [n.name for n in detail.dependencies if n.verdict == "still open"]
    return f"It waits for {', '.join(waits[:5])}{' and others' if len(waits) > 5 else ''}." if waits else ""
