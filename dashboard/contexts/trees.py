"""What the tree pages show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dashboard.contexts.common import Bead, RunLine, bead, priority_word, run_line
from dashboard.texts import counted
from orchestration.models import Run, Tree
from orchestration.selectors.trees import Outline, OutlineTask


@dataclass(frozen=True, slots=True)
class TreeLine:
    """A tree in a list."""

    id: int
    name: str
    url: str
    owner: str
    labels: tuple[str, ...]
    tasks_words: str
    archived: bool
    last: RunLine | None
    strip: tuple[Bead, ...]  # oldest first
    running: bool


@dataclass(frozen=True, slots=True)
class EdgeView:
    name: str
    url: str
    kind: str  # required or optional


@dataclass(frozen=True, slots=True)
class OutlineLine:
    """A task of a definition."""

    name: str
    url: str
    indent: int
    executor: str
    priority: str  # "" for normal
    edges: tuple[EdgeView, ...]
    more_edges: int


def tree_line(tree: Tree, runs: list[Run], now: datetime) -> TreeLine:
    """*tree* with its newest *runs*, newest first."""
    return TreeLine(
        id=tree.pk,
        name=tree.name,
        url=tree.get_absolute_url(),
        owner=tree.owner.get_username(),
        labels=tuple(str(label) for label in tree.labels),
        tasks_words=counted(tree.task_count, "task"),
        archived=tree.archived_at is not None,
        last=run_line(runs[0], now, tree_name=tree.name) if runs else None,
        strip=tuple(bead(run, now) for run in reversed(runs)),
        running=bool(runs and runs[0].is_active),
    )


def outline_lines(outline: Outline) -> tuple[OutlineLine, ...]:
    """The tasks of an outline ready to be shown."""
    return tuple(_outline_line(task) for task in outline.tasks)


def _outline_line(task: OutlineTask) -> OutlineLine:
    edges = [EdgeView(e.name, f"/tasks/{e.task_id}", "required" if e.required else "optional") for e in task.edges]
    return OutlineLine(
        name=task.name,
        url=f"/tasks/{task.id}",
        indent=20 * min(task.depth, 20),
        executor=task.executor,
        priority="" if task.priority == 2 else priority_word(task.priority),
        edges=tuple(edges),
        more_edges=task.more_edges,
    )
