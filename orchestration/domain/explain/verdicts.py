"""What each dependency came to: satisfied, unmet, still pending, ignored, or reused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from orchestration.domain.explain.facts import EdgeFact, Fate, TaskFact, Tasks, fate
from orchestration.domain.states import Status
from orchestration.domain.words import gettext, gettext_noop


class Verdict(StrEnum):
    """Stored and compared by programs: `EdgeVerdict.words` is for people."""

    SATISFIED = "satisfied"
    UNMET = "unmet"
    PENDING = "pending"
    IGNORED = "ignored because optional"
    REUSED = "reused"


_UNMET = {
    Fate.FAILED: gettext_noop("failed, so this cannot run"),
    Fate.CANCELLED: gettext_noop("cancelled, so this cannot run"),
    Fate.BLOCKED: gettext_noop("blocked, so this cannot run"),
    Fate.IDLE: gettext_noop("not in this run and without a result, so this cannot run"),
}
_IGNORED = {
    Fate.FAILED: gettext_noop("failed, ignored because optional"),
    Fate.CANCELLED: gettext_noop("cancelled, ignored because optional"),
    Fate.BLOCKED: gettext_noop("blocked, ignored because optional"),
    Fate.IDLE: gettext_noop("not in this run and without a result, ignored because optional"),
}


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
    say = cache(gettext)  # a run may have a hundred thousand dependencies, and there are a dozen sentences
    return [_verdict(edge, tasks, say) for edge in edges if edge.task in tasks and edge.depends_on in tasks]


def _verdict(edge: EdgeFact, tasks: Tasks, say: Callable[[str], str]) -> EdgeVerdict:
    waiting, awaited = tasks[edge.task], tasks[edge.depends_on]
    end = fate(awaited)
    number = None
    if end == Fate.COMPLETED:
        verdict, text, number = _completed(waiting, awaited)
    elif end == Fate.OPEN or (end == Fate.IDLE and not waiting.in_run):
        verdict, text = Verdict.PENDING, _open(awaited)
    elif edge.required:
        verdict, text = Verdict.UNMET, _UNMET[end]
    else:
        verdict, text = Verdict.IGNORED, _IGNORED[end]
    words = say(text) % {"number": number}
    return EdgeVerdict(edge.task, edge.depends_on, edge.required, verdict, words, number)


def _completed(waiting: TaskFact, awaited: TaskFact) -> tuple[Verdict, str, int | None]:
    if awaited.linked:
        return Verdict.REUSED, gettext_noop("a link, its original's result is reused"), None
    if waiting.in_run and not awaited.in_run:
        text = gettext_noop("completed earlier, result reused")
        if awaited.run_number:
            text = gettext_noop("completed earlier, result of run #%(number)s reused")
        return Verdict.REUSED, text, awaited.run_number
    if not awaited.executor:
        return Verdict.SATISFIED, gettext_noop("completed, a group has no result"), None
    if waiting.status == Status.COMPLETED or waiting.started_at is not None:
        return Verdict.SATISFIED, gettext_noop("completed, result used"), None
    return Verdict.SATISFIED, gettext_noop("completed, result is there"), None


def _open(awaited: TaskFact) -> str:
    if fate(awaited) == Fate.IDLE:
        return gettext_noop("has not run yet")
    return (
        gettext_noop("still running") if awaited.status == Status.IN_PROGRESS else gettext_noop("has not started yet")
    )
