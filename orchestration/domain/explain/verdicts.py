"""What each dependency came to: satisfied, unmet, still pending, ignored, or reused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from orchestration.domain.explain.facts import EdgeFact, Fate, TaskFact, Tasks, fate
from orchestration.domain.states import Status


class Verdict(StrEnum):
    SATISFIED = "satisfied"
    UNMET = "unmet"
    PENDING = "pending"
    IGNORED = "ignored because optional"
    REUSED = "reused"


@dataclass(frozen=True, slots=True)
class EdgeVerdict:
    task: str
    depends_on: str
    required: bool
    verdict: Verdict
    words: str
    run_number: int | None = None  # of a reused result


def edge_verdicts(tasks: Tasks, edges: Iterable[EdgeFact]) -> list[EdgeVerdict]:
    """One verdict per dependency, in the order of *edges*."""
    return [_verdict(edge, tasks) for edge in edges if edge.task in tasks and edge.depends_on in tasks]


def _verdict(edge: EdgeFact, tasks: Tasks) -> EdgeVerdict:
    waiting, awaited = tasks[edge.task], tasks[edge.depends_on]
    end = fate(awaited)
    number = None
    if end == Fate.COMPLETED:
        verdict, words, number = _completed(waiting, awaited)
    elif end == Fate.OPEN or (end == Fate.IDLE and not waiting.in_run):
        verdict, words = Verdict.PENDING, _open(awaited)
    else:
        how = "not in this run and without a result" if end == Fate.IDLE else str(end)
        verdict = Verdict.UNMET if edge.required else Verdict.IGNORED
        words = f"{how}, {'so this cannot run' if edge.required else 'ignored because optional'}"
    return EdgeVerdict(edge.task, edge.depends_on, edge.required, verdict, words, number)


def _completed(waiting: TaskFact, awaited: TaskFact) -> tuple[Verdict, str, int | None]:
    if awaited.linked:
        return Verdict.REUSED, "a link, its original's result is reused", None
    if waiting.in_run and not awaited.in_run:
        run = f" of run #{awaited.run_number}" if awaited.run_number else ""
        return Verdict.REUSED, f"completed earlier, result{run} reused", awaited.run_number
    if not awaited.executor:
        return Verdict.SATISFIED, "completed, a group has no result", None
    if waiting.status == Status.COMPLETED or waiting.started_at is not None:
        return Verdict.SATISFIED, "completed, result used", None
    return Verdict.SATISFIED, "completed, result is there", None


def _open(awaited: TaskFact) -> str:
    if fate(awaited) == Fate.IDLE:
        return "has not run yet"
    return "still running" if awaited.status == Status.IN_PROGRESS else "has not started yet"
