"""What the run page says about a run that went wrong or is over: root causes, critical path, the last good run."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext

from dashboard.contexts.common import State
from dashboard.texts import counted
from orchestration.domain.explain.causes import Cause
from orchestration.domain.explain.compare import compare_runs
from orchestration.domain.story import duration_words
from orchestration.models import Run
from orchestration.selectors.explain import RunExplanation, explanation_of
from orchestration.selectors.explain_compare import run_tasks
from orchestration.selectors.run_feed import last_good_run

CAUSES = 3
EXCERPT = 600  # characters of an error
COMPARED = 300  # tasks up to which the chip says what has changed
KEPT = 64  # explanations kept in memory
LARGE = 1000  # tasks above which few are kept, and a page does not wait for one


@dataclass(frozen=True, slots=True)
class CauseView:
    """A task that went wrong by itself."""

    name: str
    url: str
    state: State
    error: str
    blocked_words: str  # "4 tasks did not run because of this"
    names: tuple[str, ...]
    more: int
    rerun_url: str


@dataclass(frozen=True, slots=True)
class Insight:
    """What an ended or failing run comes down to."""

    run_id: int
    causes: tuple[CauseView, ...]
    causes_more: int
    failed: bool
    path: frozenset[str]  # 32 hex digits
    path_words: str
    path_names: str
    good_url: str
    good_words: str


_known: OrderedDict[tuple[Any, ...], RunExplanation] = OrderedDict()


def run_insight(run: Run) -> Insight | None:
    """What to say about *run*; None while all goes well. Explained once per process and outcome."""
    if run.is_active and not run.failed:
        return None
    found = _explanation(run)
    causes = [c for c in found.causes if not c.handled]
    good = last_good_run(run) if causes and not run.is_active else None
    steps = [] if run.is_active else [s for s in found.path.steps if found.tasks[s.task].executor]
    return Insight(
        run_id=run.pk,
        causes=tuple(_cause(c, run) for c in causes[:CAUSES]),
        causes_more=max(0, len(causes) - CAUSES),
        failed=bool(causes),
        path=frozenset(s.task for s in steps) if len(steps) > 1 else frozenset(),
        path_words=_path_words(found) if len(steps) > 1 else "",
        path_names=" → ".join(s.name for s in steps[:20]),
        good_url=f"/runs/{good.pk}/compare/{run.pk}" if good else "",
        good_words=_good_words(good, run) if good else "",
    )


def insight_comes_later(run: Run) -> bool:
    """Whether explaining *run* takes so long that its page comes first and the socket brings what it has to say."""
    said = not run.is_active or run.failed
    return bool(said) and run.tree.task_count > LARGE and _key(run) not in _known


def _key(run: Run) -> tuple[Any, ...]:
    """What an explanation depends on: of an active run only its causes are shown, and those come with bad ends."""
    moved = (run.failed, run.cancelled, run.blocked) if run.is_active else (run.seq,)
    return (run.pk, run.is_active, *moved, run.started_at, run.tree.version, run.tree.run_count)


def _explanation(run: Run) -> RunExplanation:
    key = _key(run)
    found = _known.get(key)
    if found is None:
        found = _known[key] = explanation_of(run, with_verdicts=False)
        while len(_known) > (8 if run.tree.task_count > LARGE else KEPT):
            _known.popitem(last=False)
    return found


def _cause(cause: Cause, run: Run) -> CauseView:
    task = UUID(cause.task)
    verb = gettext("will not run") if run.is_active else gettext("did not run")
    word = gettext("not run") if cause.status == "idle" else cause.status
    return CauseView(
        name=cause.name,
        url=f"/tasks/{task}?run={run.pk}",
        state=State("pending" if cause.status == "idle" else cause.status, word),
        error=cause.error[:EXCERPT].strip(),
        blocked_words=(
            gettext("%(count)s %(verb)s because of this") % {"count": counted(cause.blocked, "task"), "verb": verb}
        )
        if cause.blocked
        else "",
        names=cause.names,
        more=max(0, cause.blocked - len(cause.names)),
        rerun_url=f"/runs/{run.pk}/rerun?mode=from&task={task}",
    )


def _path_words(found: RunExplanation) -> str:
    queued = (
        (gettext(", %(time)s of it waiting") % {"time": duration_words(found.path.queue_s)})
        if found.path.queue_s >= 0.5
        else ""
    )
    return gettext("Critical path %(time)s%(queued)s") % {"time": duration_words(found.path.total_s), "queued": queued}


def _good_words(good: Run, run: Run) -> str:
    if run.tree.task_count > COMPARED:
        return gettext("Since last good run #%(number)s") % {"number": good.number}
    now = timezone.now()
    differences = compare_runs(run_tasks(good, now, by_name=False), run_tasks(run, now, by_name=False)).differences
    inputs = sum(d.inputs_differ for d in differences)
    results = sum(d.result_changed and d.status is None for d in differences)
    slower = sum(d.duration_s is not None for d in differences)
    parts = (
        [(gettext("%(count)s got other inputs") % {"count": counted(inputs, "task")})]
        if inputs
        else [gettext("same inputs")]
    )
    parts += [(gettext("%(results)s gave another result") % {"results": f"{results:,}"})] if results else []
    parts += [(gettext("%(count)s changed") % {"count": counted(slower, "duration")})] if slower else []
    return gettext("Since last good run #%(number)s: %(value)s") % {"number": good.number, "value": ", ".join(parts)}
