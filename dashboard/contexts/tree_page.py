"""The page of a tree: definition and last runs as one table, lineage, statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext

from dashboard.contexts.common import IGNORED, RUN_WORDS, State, run_state
from dashboard.contexts.trees import OutlineLine, outline_lines
from orchestration.domain.states import Display, Origin, Status
from orchestration.domain.story import duration_words
from orchestration.models import Run, Tree
from orchestration.selectors.handled import handled_among
from orchestration.selectors.tree_history import Statistics, matrix_states
from orchestration.selectors.trees import Outline

WORDS = {Origin.COPY: "copy", Origin.LINK: "links", Origin.ARCHIVE: "archive"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A task in a run."""

    state: State | None  # None: not part of it
    url: str
    title: str


@dataclass(frozen=True, slots=True)
class MatrixRow:
    id: str
    line: OutlineLine
    cells: tuple[Cell, ...]
    newer: bool  # a link whose original has a newer result
    link: bool


@dataclass(frozen=True, slots=True)
class MatrixHead:
    number: int
    url: str
    state: State
    title: str


@dataclass(frozen=True, slots=True)
class Relative:
    """A tree of the lineage strip."""

    name: str
    url: str
    word: str
    here: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """The numbers on top."""

    ended: int
    success: str
    median: str
    longest: str


def matrix(tree: Tree, outline: Outline, runs: list[Run], newer: set[UUID], links: set[UUID]) -> tuple[MatrixRow, ...]:
    """The rows of the table: a task, what it waits for, and its state in each of *runs*."""
    ids = [task.id for task in outline.tasks]
    states, handled = matrix_states(runs, ids), handled_among(ids)
    lines = outline_lines(outline)
    return tuple(
        MatrixRow(
            id=str(task.id),
            line=line,
            cells=tuple(
                _cell(states.get(task.id, {}).get(run.pk), task.id, task.name, run, handled=task.id in handled)
                for run in runs
            ),
            newer=task.id in newer,
            link=task.id in links,
        )
        for task, line in zip(outline.tasks, lines, strict=True)
    )


def matrix_heads(runs: list[Run]) -> tuple[MatrixHead, ...]:
    """The columns, oldest run first."""
    found = []
    for run in runs:
        state = run_state(run)
        took = duration_words((run.completed_at - run.started_at).total_seconds()) if run.completed_at else ""
        title = gettext("run %(number)s: %(word)s%(value)s") % {
            "number": run.number,
            "word": state.word,
            "value": (gettext(" after %(took)s") % {"took": took}) if took else "",
        }
        found.append(MatrixHead(run.number, run.get_absolute_url(), state, title))
    return tuple(found)


def _cell(status: str | None, task_id: UUID, name: str, run: Run, *, handled: bool) -> Cell:
    url = f"/tasks/{task_id}?run={run.pk}"
    if status is None:
        return Cell(None, "", "")
    if status == Status.PENDING:
        state = State(Display.WAITING, "waiting") if run.is_active else State(Display.IDLE, gettext("not run"))
    elif status == Display.BLOCKED:
        state = State(Display.BLOCKED, "blocked")
    elif status == Status.FAILED and handled:
        state = IGNORED
    else:
        word = RUN_WORDS.get(status, status)
        state = State(word, word)
    return Cell(
        state,
        url,
        (gettext("%(name)s, run %(number)s: %(word)s") % {"name": name, "number": run.number, "word": state.word}),
    )


def lineage_strip(tree: Tree, original: Tree | None, derived: list[Tree]) -> tuple[Relative, ...]:
    """Original ← this → what was made from it; empty when it has no relatives."""
    if original is None and not derived:
        return ()
    found = [] if original is None else [_relative(original, "original")]
    found.append(Relative(tree.name, "", WORDS.get(Origin(tree.origin_type), "this"), here=True))
    return (
        *found,
        *(_relative(other, WORDS.get(Origin(other.origin_type), gettext("made from it"))) for other in derived),
    )


def _relative(tree: Tree, word: str) -> Relative:
    return Relative(tree.name, tree.get_absolute_url(), word, here=False)


def facts_of(found: Statistics) -> Facts:
    """Statistics in words."""
    share = f"{100 * found.completed / found.ended:.0f} %" if found.ended else "—"

    def words(seconds: Any) -> str:
        return "—" if seconds is None else duration_words(seconds)

    return Facts(found.ended, share, words(found.median_s), words(found.longest_s))
