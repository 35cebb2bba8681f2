"""Words and shapes that all pages share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext, gettext_noop

from orchestration.domain.lint import PRIORITIES
from orchestration.domain.states import Display, Status
from orchestration.domain.story import duration_words
from orchestration.models import Run

RUN_WORDS = {
    Status.IN_PROGRESS.value: gettext_noop("running"),
    Status.COMPLETED.value: gettext_noop("completed"),
    Status.FAILED.value: gettext_noop("failed"),
    Status.CANCELLED.value: gettext_noop("cancelled"),
}
# the other words of states, which are those of domain.states: marked here for the catalogue
FURTHER_WORDS = (
    gettext_noop("waiting"), gettext_noop("ready"), gettext_noop("stopping"), gettext_noop("blocked"),
    gettext_noop("ignored"), gettext_noop("reused"), gettext_noop("retrying"), gettext_noop("pending"),
    gettext_noop("stopped"), gettext_noop("silent"), gettext_noop("alive"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class State:
    """A state as shape (key of the glyph) and word, given in English."""

    key: str
    english: str

    @property
    def word(self) -> str:
        """As the reader says it."""
        return gettext(self.english)


IGNORED = State("ignored", "ignored")  # failed, but only optional dependents waited for it


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a progress bar, in percent of its width."""

    key: str
    x: str
    width: str


@dataclass(frozen=True, slots=True)
class Count:
    """A number of tasks in a state."""

    key: str
    english: str
    count: int

    @property
    def word(self) -> str:
        """The state as the reader says it."""
        return gettext(self.english)


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run in a list."""

    id: int
    number: int
    url: str
    tree_name: str
    tree_url: str
    state: State
    segments: tuple[Segment, ...]
    done_words: str
    started_at: datetime
    took: str
    since: float  # seconds since 1970, for the running clock; 0 when it has ended
    started_by: str
    title: str


def run_state(run: Run) -> State:
    """The state of *run* as shape and word."""
    if run.is_active and run.cancel_requested_at is not None:
        return State(Display.STOPPING, "stopping")
    word = RUN_WORDS[run.status]
    return State(word, word)


def run_counts(run: Run, ignored: int = 0) -> tuple[Count, ...]:
    """How many tasks are in each state, those with none left out. *ignored*: failures that only optional dependents
    waited for; in a run that has completed all are such."""
    ignored = run.failed if run.status == Status.COMPLETED else ignored
    waiting = ("waiting", "waiting") if run.is_active else ("pending", gettext_noop("not run"))
    every = (
        Count("completed", "completed", run.completed),
        Count("running", "running", run.running),
        Count("failed", "failed", run.failed - ignored),
        Count("ignored", "ignored", ignored),
        Count("blocked", "blocked", run.blocked),
        Count("cancelled", "cancelled", run.cancelled),
        Count(waiting[0], waiting[1], max(0, run.pending)),
    )
    return tuple(count for count in every if count.count)


def run_segments(run: Run, ignored: int = 0) -> tuple[Segment, ...]:
    """The progress bar of *run*: what is left open is waiting."""
    segments, x = [], 0.0
    for count in run_counts(run, ignored):
        if count.key in {"waiting", "pending"}:
            continue
        width = 100 * count.count / max(1, run.total)
        segments.append(Segment(count.key, f"{x:.2f}", f"{width:.2f}"))
        x += width
    return tuple(segments)


def run_line(run: Run, now: datetime, *, tree_name: str = "") -> RunLine:
    """*run* as a line of a list. Its tree and starter must be loaded, unless *tree_name* is given."""
    state, took = run_state(run), _took(run, now)
    return RunLine(
        id=run.pk,
        number=run.number,
        url=run.get_absolute_url(),
        tree_name=tree_name or run.tree.name,
        tree_url=f"/trees/{run.tree_id}",
        state=state,
        segments=run_segments(run),
        done_words=(
            gettext("%(completed)s of %(total)s") % {"completed": f"{run.completed:,}", "total": f"{run.total:,}"}
        ),
        started_at=run.started_at,
        took=took,
        since=run.started_at.timestamp() if run.is_active else 0,
        started_by=starter(run) if not tree_name else "",
        title=_title(run, state, took),
    )


@dataclass(frozen=True, slots=True)
class Bead:
    """A run in the strip of its tree: nothing but a shape that leads there. A page of trees has 500 of them."""

    url: str
    state: State
    title: str


def bead(run: Run, now: datetime) -> Bead:
    """*run* as one of many."""
    state, took = run_state(run), _took(run, now)
    return Bead(run.get_absolute_url(), state, _title(run, state, took))


def _took(run: Run, now: datetime) -> str:
    return duration_words(((run.completed_at or now) - run.started_at).total_seconds())


def _title(run: Run, state: State, took: str) -> str:
    """ "#7 failed, 12 s"."""
    return f"#{run.number} {state.word}, {took}"


def starter(run: Run) -> str:
    """Who or what started *run*: a person, or such as "trigger nightly"."""
    if run.started_via:
        return run.started_via
    return run.started_by.get_username() if run.started_by else "—"


def priority_word(priority: int) -> str:
    """0 urgent, 1 high, 2 normal, 3 low."""
    return gettext(PRIORITIES[priority]) if priority in PRIORITIES else str(priority)


def query_of(**values: Any) -> str:
    """The values that are set, for a link's query string."""
    return urlencode({key: value for key, value in values.items() if value not in ("", None, False)})
