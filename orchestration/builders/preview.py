"""What a copy, link, archive or mixed tree would be, before it is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from orchestration.builders.clone import Clone
from orchestration.domain.json_gate import safe_text
from orchestration.domain.states import Origin, Status
from orchestration.selectors.lineage import SourceEdge
from orchestration.services.transitions_snapshot import ClonedTask

ROLES = {Origin.COPY: "copy", Origin.LINK: "link", Origin.ARCHIVE: "archived"}
SHOWN = 20  # warnings of one kind


@dataclass(frozen=True, slots=True)
class PreviewTask:
    """A task of the new tree."""

    source_id: str  # 32 hex digits
    name: str
    role: str  # copy, link or archived
    depth: int
    why: str  # it is included
    changed: tuple[str, ...]  # fields that an override sets


@dataclass(frozen=True, slots=True)
class ClonePreview:
    """The new tree in outline order, what to know before storing it, and how many there are of what.

    *counts*: tasks, copy, link, archived, dependencies, dropped (dependencies on tasks that are not included).
    """

    tasks: list[PreviewTask]
    warnings: list[str]
    counts: dict[str, int]


def preview(clone: Clone) -> ClonePreview:
    """*clone* for people. Reads and stores nothing."""
    roles = Counter(ROLES[task.role] for task in clone.tasks)
    counts = {role: roles[role] for role in ROLES.values()}
    counts |= {"tasks": len(clone.tasks), "dependencies": len(clone.edges), "dropped": len(clone.dropped)}
    return ClonePreview([_task(clone, task) for task in clone.tasks], _warnings(clone), counts)


def _task(clone: Clone, task: ClonedTask) -> PreviewTask:
    return PreviewTask(
        source_id=task.source_id,
        name=task.changes.get("name") or clone.source.tasks[task.source_id].name,
        role=ROLES[task.role],
        depth=task.depth,
        why=clone.why[task.source_id],
        changed=tuple(task.changes),
    )


def _warnings(clone: Clone) -> list[str]:
    old = clone.source.tasks

    def name(task_id: str) -> str:
        return f"'{safe_text(old[task_id].name, 64)}'"

    def of_edge(edge: SourceEdge) -> str:
        return f"{name(edge.task_id)} will not wait for {name(edge.depends_on)}: it is not included"

    reruns = [t.source_id for t in clone.tasks if t.role == Origin.COPY and old[t.source_id].linked_attempt is not None]
    open_tasks = [
        t.source_id for t in clone.tasks if t.role == Origin.ARCHIVE and old[t.source_id].status == Status.PENDING
    ]
    return [
        *_some(clone.dropped, of_edge, "dependencies"),
        *_some(reruns, lambda task_id: f"{name(task_id)} is a link: its copy runs anew", "links"),
        *_some(open_tasks, lambda task_id: f"{name(task_id)} was blocked and stays pending for ever", "blocked tasks"),
    ]


def _some[T](things: list[T], text: Callable[[T], str], noun: str) -> Iterable[str]:
    yield from map(text, things[:SHOWN])
    if len(things) > SHOWN:
        yield f"and {len(things) - SHOWN} more {noun}"
