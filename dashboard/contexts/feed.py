"""The events of a run in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext, gettext_lazy

from dashboard.contexts.common import State, priority_word, query_of
from dashboard.texts import counted
from orchestration.domain.explain.facts import quoted
from orchestration.domain.states import Display, Kind
from orchestration.domain.story import duration_words
from orchestration.models import Run
from orchestration.selectors.run_feed import FEED, FeedEvent

EXCERPT = 200  # characters of an error in a sentence

KEYS = {
    Kind.RUN_STARTED: Display.RUNNING,
    Kind.TASK_READY: Display.READY,
    Kind.TASK_STARTED: Display.RUNNING,
    Kind.TASK_PROGRESS: Display.RUNNING,
    Kind.TASK_COMPLETED: Display.COMPLETED,
    Kind.TASK_FAILED: Display.FAILED,
    Kind.TASK_CANCELLED: Display.CANCELLED,
    Kind.TASK_STOPPING: Display.STOPPING,
    Kind.TASK_BLOCKED: Display.BLOCKED,
    Kind.TASK_RETRYING: Display.RETRYING,
    Kind.TASK_CHANGED: Display.WAITING,
    Kind.LATE_RESULT: Display.CANCELLED,
    Kind.RUN_CANCELLING: Display.STOPPING,
    Kind.RUN_COMPLETED: Display.COMPLETED,
    Kind.RUN_FAILED: Display.FAILED,
    Kind.RUN_CANCELLED: Display.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class FeedLine:
    seq: int
    at: datetime
    clock: str  # since the start of the run
    state: State
    name: str  # of the task, for a link; "" for the run itself
    url: str
    words: str


@dataclass(frozen=True, slots=True)
class FeedView:
    """A window of events, newest first."""

    run_id: int
    active: bool
    newest: bool  # shows the newest ones, so it is kept current
    problems: bool
    lines: tuple[FeedLine, ...]
    older_url: str
    newest_url: str
    all_url: str
    problems_url: str
    page_url: str
    total: int


def feed_view(run: Run, events: list[FeedEvent], *, before: int | None, problems: bool) -> FeedView:
    """*events* (one more than a page when there are older ones) ready to be shown."""
    base, only = f"/runs/{run.pk}/events", "problems" if problems else ""
    older = f"{base}?{query_of(only=only, before=events[FEED - 1].seq)}" if len(events) > FEED else ""
    return FeedView(
        run_id=run.pk,
        active=run.is_active,
        newest=before is None,
        problems=problems,
        lines=tuple(_line(run, event) for event in events[:FEED]),
        older_url=older,
        newest_url=f"{base}?{query_of(only=only)}" if before is not None else "",
        all_url=base,
        problems_url=f"{base}?only=problems",
        page_url=f"{base}?{query_of(only=only, before=before)}",
        total=run.seq,
    )


def _line(run: Run, event: FeedEvent) -> FeedLine:
    kind = Kind(event.kind) if event.kind in set(Kind) else None
    key = KEYS.get(kind, Display.WAITING) if kind else Display.WAITING
    about_run = kind is not None and kind.startswith("run_")
    return FeedLine(
        seq=event.seq,
        at=event.at,
        clock=duration_words(max(0.0, (event.at - run.started_at).total_seconds())),
        state=State(key, event.kind.replace("_", " ")),
        name=event.name or ("" if about_run else "a task"),
        url=f"/tasks/{event.task_id}?run={run.pk}" if event.task_id else "",
        words=_words(run, kind, event),
    )


def _words(run: Run, kind: Kind | None, event: FeedEvent) -> str:
    data: dict[str, Any] = event.data if isinstance(event.data, dict) else {}
    teller = _TELLERS.get(kind) if kind else None
    if teller is None:
        return event.kind.replace("_", " ")
    return str(teller(run, data, event))


def _excerpt(text: Any) -> str:
    line = " ".join(str(text or "").split())
    return line if len(line) <= EXCERPT else f"{line[: EXCERPT - 1]}…"


def _after(text: Any) -> str:
    found = _excerpt(text)
    return f": {found}" if found else ""


def _started(run: Run, data: dict[str, Any], event: FeedEvent) -> str:
    mode = data.get("mode", "all")
    part = gettext("the whole tree") if mode == "all" else (gettext("part of the tree (%(mode)s)") % {"mode": mode})
    who = run.started_via or (run.started_by.get_username() if run.started_by else "somebody")
    return gettext("Run %(number)s started by %(who)s: %(part)s, %(count)s") % {
        "number": run.number,
        "who": who,
        "part": part,
        "count": counted(int(data.get("total") or 0), "task"),
    }


def _task_started(run: Run, data: dict[str, Any], event: FeedEvent) -> str:
    attempt, tries = event.attempt or 1, int(data.get("try") or 1)
    return gettext("started, attempt %(attempt)s%(try)s") % {
        "attempt": attempt,
        "try": (gettext(", try %(tries)s") % {"tries": tries}) if tries > 1 else "",
    }


def _progress(run: Run, data: dict[str, Any], event: FeedEvent) -> str:
    share = data.get("progress")
    percent = f"{100 * share:.0f} %" if isinstance(share, int | float) else "?"
    return gettext("is at %(percent)s%(after)s") % {"percent": percent, "after": _after(data.get("message"))}


def _retrying(run: Run, data: dict[str, Any], event: FeedEvent) -> str:
    delay = data.get("delay_s")
    soon = (
        (gettext(" in %(time)s") % {"time": duration_words(delay)})
        if isinstance(delay, int | float) and delay
        else gettext(" at once")
    )
    return gettext("failed and is tried again%(soon)s%(after)s") % {"soon": soon, "after": _after(data.get("error"))}


def _blocked(run: Run, data: dict[str, Any], event: FeedEvent) -> str:
    return gettext("will not run: it needs %(value)s") % {
        "value": quoted(event.other) if event.other else (gettext("a task that did not complete"))
    }


def _changed(run: Run, data: dict[str, Any], event: FeedEvent) -> str:
    if "priority" not in data:
        return gettext("was changed")
    return gettext("priority changed from %(priority_word)s to %(priority_word2)s") % {
        "priority_word": priority_word(data.get("was", 2)),
        "priority_word2": priority_word(data["priority"]),
    }


def _ended(words: Any) -> Any:
    return lambda run, data, event: f"{words}{_after(data.get('error'))}"


_TELLERS: dict[Kind, Any] = {
    Kind.RUN_STARTED: _started,
    Kind.TASK_READY: lambda run, data, event: gettext("is ready and waits for a slot"),
    Kind.TASK_STARTED: _task_started,
    Kind.TASK_PROGRESS: _progress,
    Kind.TASK_COMPLETED: _ended(gettext_lazy("completed")),
    Kind.TASK_FAILED: _ended(gettext_lazy("failed")),
    Kind.TASK_CANCELLED: _ended(gettext_lazy("was cancelled")),
    Kind.TASK_STOPPING: lambda run, data, event: (
        gettext("was asked to stop%(after)s") % {"after": _after(data.get("reason"))}
    ),
    Kind.TASK_BLOCKED: _blocked,
    Kind.TASK_RETRYING: _retrying,
    Kind.TASK_CHANGED: _changed,
    Kind.LATE_RESULT: lambda run, data, event: (
        gettext("%(value)s after its end was decided: ignored") % {"value": data.get("ending") or "ended"}
    ),
    Kind.RUN_CANCELLING: lambda run, data, event: (
        gettext("Cancel asked for%(after)s") % {"after": _after(data.get("reason"))}
    ),
    Kind.RUN_COMPLETED: lambda run, data, event: gettext("Run completed"),
    Kind.RUN_FAILED: lambda run, data, event: gettext("Run failed"),
    Kind.RUN_CANCELLED: lambda run, data, event: gettext("Run cancelled"),
}
