"""A run told a second time, from its events alone, and compared with the rows. Shares no code with the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from orchestration.models import Attempt, Dependency, Event, Run, Task

OPEN = ("pending", "in_progress")
TASK_END = {"task_completed": "completed", "task_failed": "failed", "task_cancelled": "cancelled"}
RUN_END = {"run_completed": "completed", "run_failed": "failed", "run_cancelled": "cancelled"}
UNCOUNTED = ("engine_lost", "released")


@dataclass
class Seen:
    """One task as the events tell it."""

    status: str = "pending"
    attempt: int = 0
    progress: float = 0.0
    blocked_by: str | None = None
    error: str | None = None
    stopping: bool = False
    ready: bool = False
    retrying: bool = False
    group: bool = False
    in_scope: bool = True
    edges: list[tuple[str, bool]] = field(default_factory=list)  # (awaited, required)

    @property
    def settled(self) -> bool:
        return not self.in_scope or self.blocked_by is not None or self.status not in OPEN


@dataclass
class Story:
    """A run as its events tell it."""

    tasks: dict[str, Seen]
    status: str = "in_progress"
    cancelling: bool = False


def verify(run_id: int) -> Story:
    """Assert that events 1..n of the newest run of a tree are legal and that every row says the same."""
    run = Run.objects.get(pk=run_id)
    rows = {t.pk.hex: t for t in Task.objects.filter(tree=run.tree_id)}
    attempts = list(Attempt.objects.filter(task__tree=run.tree_id).order_by("task_id", "number"))
    story = Story({key: _before(row, run, attempts) for key, row in rows.items()})
    for waiting, awaited, required in Dependency.objects.filter(task__tree=run.tree_id).values_list(
        "task_id", "depends_on_id", "required"
    ):
        story.tasks[waiting.hex].edges.append((awaited.hex, required))
    events = list(Event.objects.filter(run=run).order_by("seq"))
    assert [e.seq for e in events] == list(range(1, run.seq + 1)), "numbers of the events"
    assert events[0].kind == "run_started"
    for event in events[1:]:
        _fold(story, event)
    _compare_tasks(story, rows, run, derived=len(events) > 1)
    _compare_attempts(story, rows, attempts, run)
    _compare_run(story, run)
    return story


def _before(row: Task, run: Run, attempts: list[Attempt]) -> Seen:
    if row.run_id != run.pk:
        blocked = row.blocked_by_id.hex if row.blocked_by_id else None
        return Seen(row.status, row.attempt, row.progress, blocked, row.error, in_scope=False)
    earlier = [a.number for a in attempts if a.task_id == row.pk and a.run_id != run.pk]
    return Seen(attempt=max(earlier, default=0), group=not row.executor)


def _fold(story: Story, event: Event) -> None:
    kind, data = event.kind, event.data
    if kind in {"late_result", "task_changed"}:  # they change no state
        return
    assert story.status == "in_progress", f"{kind} after the end of the run"
    if event.task_id is None:
        _fold_run(story, kind, data)
        return
    task = story.tasks[event.task_id.hex]
    assert task.in_scope, f"{kind} of a task outside the scope"
    assert not task.settled or kind == "task_cancelled", f"{kind} of a task that had ended"
    _STEPS[kind](story, task, event, data)


def _fold_run(story: Story, kind: str, data: dict[str, Any]) -> None:
    if kind == "run_cancelling":
        story.cancelling = True
        return
    scope = [t for t in story.tasks.values() if t.in_scope]
    assert all(t.settled for t in scope), "the run ended although something was open"
    story.status = RUN_END[kind]
    assert story.status == _verdict(story, scope), "how the run ended"


def _verdict(story: Story, scope: list[Seen]) -> str:
    if story.cancelling:
        return "cancelled"
    by_id = {key: t for key, t in story.tasks.items() if t.in_scope}
    for key, task in by_id.items():
        waiting = [required for t in scope for awaited, required in t.edges if awaited == key]
        handled = task.status == "failed" and waiting and not any(waiting)
        if task.status != "completed" and not handled:
            return "failed"
    return "completed"


def _may_start(story: Story, task: Seen) -> bool:
    awaited = [(story.tasks[key], required) for key, required in task.edges]
    return all(t.settled and (t.status == "completed" or not required) for t, required in awaited)


def _ready(story: Story, task: Seen, event: Event, data: dict[str, Any]) -> None:
    assert task.status == "pending"
    assert _may_start(story, task), "ready before its dependencies"
    task.ready, task.retrying = True, False


def _started(story: Story, task: Seen, event: Event, data: dict[str, Any]) -> None:
    assert task.status == "pending", "started twice"
    assert task.ready, "started without being ready"
    assert not story.cancelling, "started after the run was cancelled"
    assert _may_start(story, task), "started before its dependencies"
    assert event.attempt == task.attempt + 1, "attempts rise by one"
    task.status, task.attempt, task.progress, task.ready = "in_progress", event.attempt, 0.0, False


def _progress(story: Story, task: Seen, event: Event, data: dict[str, Any]) -> None:
    assert (task.status, task.attempt) == ("in_progress", event.attempt)
    task.progress = data["progress"]


def _ended(story: Story, task: Seen, event: Event, data: dict[str, Any]) -> None:
    status = TASK_END[event.kind]
    if status == "completed" and task.group:
        assert task.status == "pending"
        assert _may_start(story, task), "a group ended before its dependencies"
        task.attempt += 1
    elif status == "cancelled":
        assert task.status in OPEN, "cancelled over an end"
    else:
        assert task.status == "in_progress", f"{status} without having run"
    assert (event.attempt or 0) == task.attempt, "an end of another attempt"
    if status == "completed":
        assert not task.stopping, "completed after its cancel"
        task.progress = 1.0
    task.status, task.error, task.stopping, task.ready, task.retrying = status, data.get("error"), False, False, False


def _blocked(story: Story, task: Seen, event: Event, data: dict[str, Any]) -> None:
    assert task.status == "pending"
    by = story.tasks[data["blocked_by"]]
    assert (data["blocked_by"], True) in task.edges, "blocked by something that it does not need"
    assert by.settled, "blocked by something that had not ended"
    assert by.status != "completed", "blocked by something that completed"
    task.blocked_by = data["blocked_by"]


def _retrying(story: Story, task: Seen, event: Event, data: dict[str, Any]) -> None:
    assert (task.status, task.attempt) == ("in_progress", event.attempt)
    assert not task.stopping, "runs again although it was cancelled"
    task.status, task.progress, task.retrying = "pending", 0.0, True


def _stopping(story: Story, task: Seen, event: Event, data: dict[str, Any]) -> None:
    assert (task.status, task.attempt) == ("in_progress", event.attempt)
    task.stopping = True


_STEPS = {
    "task_ready": _ready,
    "task_started": _started,
    "task_progress": _progress,
    "task_completed": _ended,
    "task_failed": _ended,
    "task_cancelled": _ended,
    "task_blocked": _blocked,
    "task_retrying": _retrying,
    "task_stopping": _stopping,
}


def _compare_tasks(story: Story, rows: dict[str, Task], run: Run, *, derived: bool) -> None:
    for key, seen in story.tasks.items():
        row = rows[key]
        if not seen.in_scope:
            continue
        told = (seen.status, seen.attempt, seen.progress, seen.blocked_by, seen.error, seen.stopping, seen.ready)
        blocked = row.blocked_by_id.hex if row.blocked_by_id else None
        stopping, ready = row.stop_requested_at is not None, row.ready_at is not None
        assert (row.status, row.attempt, row.progress, blocked, row.error, stopping, ready) == told, row.name
        assert (row.completed_at is not None) == (row.status not in OPEN)
        if derived and story.status == "in_progress" and row.status == "pending" and blocked is None:
            may = _may_start(story, seen)
            assert (row.ready_at is not None or row.retry_at is not None) == may, f"lost wake-up of {row.name}"
            failed = any(r and story.tasks[k].settled and story.tasks[k].status != "completed" for k, r in seen.edges)
            assert not failed, f"{row.name} should be blocked"


def _compare_attempts(story: Story, rows: dict[str, Task], attempts: list[Attempt], run: Run) -> None:
    numbers: dict[str, list[int]] = {}
    tries: dict[str, int] = {}
    for attempt in attempts:
        key = attempt.task_id.hex
        row = rows[key]
        numbers.setdefault(key, []).append(attempt.number)
        if attempt.status == "in_progress":
            assert (row.status, row.attempt) == ("in_progress", attempt.number), "a live attempt of another state"
        if attempt.run_id == run.pk:
            assert attempt.try_number == tries.get(key, 0) + 1, "number of the try"
            assert attempt.try_number <= max(row.max_attempts, 1), "more tries than allowed"
            tries[key] = tries.get(key, 0) + (attempt.error_code not in UNCOUNTED)
    for key, row in rows.items():
        assert numbers.get(key, []) == list(range(1, row.attempt + 1)), "numbers of the attempts"
        last = next((a for a in reversed(attempts) if a.task_id == row.pk), None)
        if row.status == "completed" and row.linked_attempt_id is None:
            assert last is not None
            assert last.status == "completed"
            assert not row.executor or Attempt.objects.filter(pk=last.pk).exclude(result__isnull=True).exists()


def _compare_run(story: Story, run: Run) -> None:
    scope = [t for t in story.tasks.values() if t.in_scope]
    want = {s: sum(t.status == s for t in scope) for s in ("in_progress", "completed", "failed", "cancelled")}
    blocked = sum(t.blocked_by is not None and t.status == "pending" for t in scope)
    assert run.status == story.status
    assert (run.running, run.completed, run.failed, run.cancelled, run.blocked) == (*want.values(), blocked), "counts"
    assert run.total == len(scope)
    assert (story.status == "in_progress") == any(not t.settled for t in scope) or run.seq == 1, "an end was missed"
