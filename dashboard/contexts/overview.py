"""What the overview, the queue and the workers page show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dashboard.contexts.common import RunLine, State, priority_word, run_line
from dashboard.contexts.trees import TreeLine, tree_line
from orchestration.domain.states import Display, WorkerKind
from orchestration.domain.story import run_story
from orchestration.models import Task, Worker
from orchestration.selectors.overview import ALIVE, Overview, Slots
from orchestration.selectors.runs import run_facts
from orchestration.selectors.trees import last_runs


@dataclass(frozen=True, slots=True)
class Trouble:
    """A failed run and why."""

    run: RunLine
    story: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task that waits for a slot."""

    place: int
    name: str
    url: str
    tree_name: str
    tree_url: str
    priority: int
    priority_word: str
    since: float
    waited: str
    state: State


@dataclass(frozen=True, slots=True)
class OverviewView:
    troubles: tuple[Trouble, ...]
    stuck: tuple[Waiting, ...]
    active: tuple[RunLine, ...]
    running: int
    recent: tuple[TreeLine, ...]
    slots: Slots
    done_today: int
    failed_today: int
    ready: int
    first_visit: bool


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """A worker and how it is."""

    id: str
    is_engine: bool
    queues: tuple[str, ...]  # that it serves; none = all
    host: str
    pid: int
    state: State
    heartbeat_at: datetime
    started_at: datetime
    running: int
    process_slots: int
    async_slots: int


def overview_view(found: Overview, now: datetime) -> OverviewView:
    """The overview ready to be shown."""
    strips = last_runs([tree.pk for tree in found.recent])
    return OverviewView(
        troubles=tuple(Trouble(run_line(run, now), run_story(run_facts(run, now))) for run in found.failed),
        stuck=tuple(waiting_line(task, place + 1) for place, task in enumerate(found.stuck)),
        active=tuple(run_line(run, now) for run in found.active),
        running=found.running,
        recent=tuple(tree_line(tree, strips.get(tree.pk, []), now) for tree in found.recent),
        slots=found.slots,
        done_today=found.done_today,
        failed_today=found.failed_today,
        ready=found.ready,
        first_visit=not found.any_run,
    )


def waiting_line(task: Task, place: int) -> Waiting:
    """*task* as number *place* of the queue."""
    return Waiting(
        place=place,
        name=task.name,
        url=task.get_absolute_url(),
        tree_name=task.tree.name,
        tree_url=task.run.get_absolute_url() if task.run else task.tree.get_absolute_url(),
        priority=task.priority,
        priority_word=priority_word(task.priority),
        since=task.ready_at.timestamp() if task.ready_at else 0,
        waited="",
        state=State(Display.READY, "ready"),
    )


def worker_line(worker: Worker, now: datetime, running: int) -> WorkerLine:
    """*worker* with its load."""
    if worker.stopped_at is not None:
        state = State("cancelled", "stopped")
    elif now - worker.heartbeat_at > ALIVE:
        state = State("failed", "silent")
    else:
        state = State("completed", "alive")
    return WorkerLine(
        id=worker.pk,
        is_engine=worker.kind == WorkerKind.ENGINE,
        queues=tuple(worker.queues),
        host=worker.host,
        pid=worker.pid,
        state=state,
        heartbeat_at=worker.heartbeat_at,
        started_at=worker.started_at,
        running=running,
        process_slots=worker.process_slots,
        async_slots=worker.async_slots,
    )
