"""The tasks of a run as the rows of its page."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext

from dashboard.contexts.common import IGNORED, State, query_of
from dashboard.contexts.timeline import Bar, bars_of, bars_words
from dashboard.texts import counted
from orchestration.domain.states import Display, Status
from orchestration.domain.story import duration_words
from orchestration.models import Run
from orchestration.selectors.run_rows import Rows, TaskRow, Window

FILTERS = ("running", "failed", "blocked", "waiting", "completed", "cancelled")
EXCERPT = 160  # characters of an error in a row


@dataclass(frozen=True, slots=True)
class RowView:
    """A row of the tree."""

    id: str  # of the element
    url: str
    position: int
    level: int
    indent: int  # pixels
    name: str
    executor: str
    state: State
    reused: bool
    folds: bool
    percent: int | None  # progress, only while it means something
    bars: tuple[Bar, ...]
    bars_words: str
    group: bool  # shows the progress of what is under it
    took: str
    since: float
    note: str
    critical: bool = False  # on the critical path of an ended run


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter by state."""

    state: State | None
    word: str
    url: str
    here: bool


@dataclass(frozen=True, slots=True)
class RowsView:
    """The tree in a window."""

    run_id: int
    total: int
    rows: tuple[RowView, ...]
    chips: tuple[Chip, ...]
    search: str
    state: str
    previous_url: str
    next_url: str
    socket_url: str
    page_url: str
    filtered: bool
    first: int  # number of the first row among all tasks; 0 when a filter leaves some out
    last: int


def rows_view(run: Run, window: Window, found: Rows, path: frozenset[str] = frozenset()) -> RowsView:
    """The tree of *run* in *window*; *path*: tasks of its critical path, by 32 hex digits."""
    base = run.get_absolute_url()
    query = query_of(state=window.state, q=window.search)
    own = query_of(state=window.state, q=window.search, start=window.start or "")
    return RowsView(
        run_id=run.pk,
        total=run.tree.task_count,
        rows=tuple(row_view(run, row, critical=row.id.hex in path) for row in found.rows),
        chips=_chips(base, window),
        search=window.search,
        state=window.state,
        previous_url="" if found.previous is None else f"{base}?{query}&start={found.previous}",
        next_url="" if found.next is None else f"{base}?{query}&start={found.next}",
        socket_url=f"/ws/runs/{run.pk}/page/?{own}",
        page_url=f"{base}?{own}",
        filtered=window.filtered,
        first=found.rows[0].position + 1 if found.rows and not window.filtered else 0,
        last=found.rows[-1].position + 1 if found.rows else 0,
    )


def _chips(base: str, window: Window) -> tuple[Chip, ...]:
    chips = [Chip(None, "all", f"{base}?{query_of(q=window.search)}", here=not window.state)]
    for key in FILTERS:
        url = f"{base}?{query_of(state=key, q=window.search)}"
        chips.append(Chip(State(key, key), key, url, here=window.state == key))
    return tuple(chips)


def row_view(run: Run, row: TaskRow, *, critical: bool = False) -> RowView:
    """*row* ready to be shown."""
    running = row.state in {Display.RUNNING, Display.STOPPING}
    is_group = row.folds and not row.executor
    state = _state(run, row)
    return RowView(
        id=f"t-{row.id.hex}",
        url=f"/tasks/{row.id}?run={run.pk}",
        position=row.position,
        level=row.depth + 1,
        indent=18 * min(row.depth, 20),
        name=row.name,
        executor=row.executor or ("group" if row.folds else ""),
        state=state,
        reused=row.reused,
        folds=row.folds,
        percent=_percent(row),
        bars=bars_of(run, row, key=state.key),
        bars_words=bars_words(row),
        group=row.group is not None,
        took="" if is_group else _took(row),
        since=row.started_at.timestamp() if running and row.started_at else 0,
        note=_note(row),
        critical=critical,
    )


def _percent(row: TaskRow) -> int | None:
    if row.group is not None:
        return round(100 * row.group.progress)
    running = row.state in {Display.RUNNING, Display.STOPPING}
    return round(100 * row.progress) if running and row.progress > 0 else None


def _state(run: Run, row: TaskRow) -> State:
    if row.reused and row.state == Display.COMPLETED:
        return State("reused", "reused")
    if row.handled:
        return IGNORED
    if row.state == Display.IDLE and not run.is_active:
        return State(row.state, gettext("not run"))
    unfinished = row.group is not None and row.group.ended < row.group.leaves
    if unfinished and row.group and run.is_active and row.state == Display.COMPLETED:
        return State("running", "running") if row.group.running else State("waiting", "waiting")
    return State(row.state, str(row.state))


def _took(row: TaskRow) -> str:
    if row.started_at is None:
        return ""
    end = row.completed_at or (timezone.now() if row.state in {Display.RUNNING, Display.STOPPING} else None)
    return duration_words((end - row.started_at).total_seconds()) if end else ""


def _note(row: TaskRow) -> str:
    if row.reused:
        return gettext("not part of this run")
    if row.group is not None and not row.error and row.state != Display.BLOCKED:
        return gettext("%(done)s of %(leaves)s done") % {
            "done": f"{row.group.done:,}",
            "leaves": f"{row.group.leaves:,}",
        }
    if row.error:
        return _first_line(row.error)
    if row.state == Display.BLOCKED:
        how = "blocked" if row.blocked_by_status == Status.PENDING else row.blocked_by_status
        return (
            (gettext("needs %(blocked_by)s (%(how)s)") % {"blocked_by": row.blocked_by, "how": how})
            if row.blocked_by
            else gettext("a required dependency did not complete")
        )
    if row.state == Display.WAITING and row.waits:
        more = (gettext(" and %(count)s") % {"count": counted(row.waits_more, "other")}) if row.waits_more else ""
        return gettext("waits for %(value)s%(more)s") % {"value": ", ".join(row.waits), "more": more}
    return gettext("waits for a free slot") if row.state == Display.READY else ""


def _first_line(text: str) -> str:
    line = text.strip().split("\n", 1)[0]
    return line if len(line) <= EXCERPT else f"{line[: EXCERPT - 1]}…"
