"""Reads for the task page: attempts, dependencies with their verdicts, dependents."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from orchestration.domain.states import Display, Status
from orchestration.domain.words import gettext
from orchestration.models import Attempt, Dependency, Run, Task

MAX_ATTEMPTS = 100
MAX_EDGES = 100


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A dependency or dependent of a task, with what it means for the waiting one."""

    id: UUID
    name: str
    state: Display
    required: bool
    verdict: str
    flow: str  # how the result arrives: "as rows", "total ← sum.value", ""


@dataclass(frozen=True, slots=True)
class TaskDetail:
    task: Task
    attempts: list[Attempt]  # newest first, without results
    attempt: Attempt | None  # the one shown in full
    dependencies: list[Neighbour]
    dependents: list[Neighbour]


def task_detail(task: Task, *, number: int | None = None, run_id: int | None = None) -> TaskDetail:
    """Everything about *task*. In full: attempt *number*, else the newest of run *run_id*, else the newest."""
    listed = Attempt.objects.filter(task=task).select_related("run").order_by("-number")
    attempts = list(listed.defer("result", "inputs", "provenance", "log", "traceback")[:MAX_ATTEMPTS])
    return TaskDetail(
        task=task,
        attempts=attempts,
        attempt=_shown(task, attempts, number=number, run_id=run_id),
        dependencies=_dependencies(task),
        dependents=_dependents(task),
    )


def run_of(task: Task, run_id: int) -> Run | None:
    """Run *run_id* if it is one of the task's own tree."""
    return Run.objects.filter(pk=run_id, tree_id=task.tree_id).select_related("tree").first()


def _shown(task: Task, attempts: list[Attempt], *, number: int | None, run_id: int | None) -> Attempt | None:
    chosen = None
    if number is not None:
        chosen = number
    elif run_id is not None and run_id != task.run_id:
        chosen = next((a.number for a in attempts if a.run_id == run_id), None)
        if chosen is None and attempts and attempts[0].run_id > run_id:
            return None
    if chosen is None and task.linked_attempt_id:
        return Attempt.objects.filter(pk=task.linked_attempt_id).first()
    return Attempt.objects.filter(task=task, number=chosen or task.attempt).first()


def _dependencies(task: Task) -> list[Neighbour]:
    edges = Dependency.objects.filter(task=task).select_related("depends_on").order_by("position")[:MAX_EDGES]
    return [_neighbour(edge, edge.depends_on) for edge in edges]


def _dependents(task: Task) -> list[Neighbour]:
    edges = Dependency.objects.filter(depends_on=task).select_related("task").order_by("task__position")[:MAX_EDGES]
    return [_neighbour(edge, edge.task, verdict=False) for edge in edges]


def _neighbour(edge: Dependency, other: Task, *, verdict: bool = True) -> Neighbour:
    return Neighbour(
        id=other.pk,
        name=other.name,
        state=_state(other),
        required=edge.required,
        verdict=_verdict(other, required=edge.required) if verdict else "",
        flow=_flow(edge),
    )


def _state(task: Task) -> Display:
    if task.status == Status.IN_PROGRESS:
        return Display.RUNNING
    if task.status != Status.PENDING:
        return Display(task.status)
    return Display.BLOCKED if task.blocked_by_id else Display.IDLE


def _verdict(other: Task, *, required: bool) -> str:
    if other.status == Status.COMPLETED:
        return gettext("satisfied")
    gone = other.status in {Status.FAILED, Status.CANCELLED} or other.blocked_by_id is not None
    if not gone:
        return gettext("still open")
    return gettext("not met: it blocks this task") if required else gettext("ignored, because it is optional")


def _flow(edge: Dependency) -> str:
    if edge.map:
        return ", ".join(f"{field} ← {path}" for field, path in edge.map.items())
    return f"as {edge.as_key}" if edge.as_key is not None else ""
