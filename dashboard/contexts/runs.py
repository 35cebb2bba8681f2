"""What the run page shows around its tasks; page, htmx answer and socket push make the same objects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext

from dashboard.contexts.common import Count, Segment, State, run_counts, run_segments, run_state, starter
from orchestration.domain.errors import Forbidden
from orchestration.domain.story import duration_words, run_story
from orchestration.models import Run
from orchestration.selectors import access
from orchestration.selectors.runs import lineage, run_facts


@dataclass(frozen=True, slots=True)
class Step:
    """A run in the lineage strip."""

    number: int
    url: str
    state: State
    here: bool


@dataclass(frozen=True, slots=True)
class RunHead:
    """The header: what happened, how far it is, who started it."""

    id: int
    number: int
    seq: int
    active: bool
    name: str
    tree_url: str
    state: State
    story: str
    segments: tuple[Segment, ...]
    counts: tuple[Count, ...]
    counts_words: str
    started_at: datetime
    started_by: str
    took: str
    since: float
    start: str  # seconds since 1970, for the timeline
    end: str
    mode: str
    lineage: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class RunActions:
    """The buttons that the state of the run and the user's rights allow."""

    id: int
    tree_id: int
    may_run: bool
    may_cancel: bool
    active: bool
    stopping: bool
    cancel_words: str  # "Cancel 3 running, 5 waiting"
    failed_words: str  # "Re-run 2 failed + 4 not run", "" when there is nothing to repair
    all_words: str  # "" for an archive
    frozen: bool


def run_head(run: Run) -> RunHead:
    """The header of *run* as it is now. Three queries at most."""
    now = timezone.now()
    facts = run_facts(run, now)
    counts = run_counts(run, facts.ignored)
    return RunHead(
        id=run.pk,
        number=run.number,
        seq=run.seq,
        active=run.is_active,
        name=run.tree.name,
        tree_url=run.tree.get_absolute_url(),
        state=run_state(run),
        story=run_story(facts),
        segments=run_segments(run, facts.ignored),
        counts=counts,
        counts_words=", ".join(f"{c.count:,} {c.word}" for c in counts),
        started_at=run.started_at,
        started_by=starter(run),
        took=duration_words(facts.elapsed_s),
        since=run.started_at.timestamp() if run.is_active else 0,
        start=f"{run.started_at.timestamp():.3f}",
        end=f"{run.completed_at.timestamp():.3f}" if run.completed_at else "",
        mode="" if run.mode == "all" else run.mode,
        lineage=tuple(_step(near, run) for near in lineage(run)),
    )


def _step(near: Run, run: Run) -> Step:
    return Step(near.number, near.get_absolute_url(), run_state(near), here=near.pk == run.pk)


def may_run(user: Any, tree_id: int) -> bool:
    """Whether *user* may run the tree."""
    try:
        access.tree_for_run(user, tree_id)
    except Forbidden:
        return False
    return True


class Rights(NamedTuple):
    """What the user may do with the runs of a tree."""

    run: bool
    cancel: bool


def rights_on(user: Any, tree_id: int) -> Rights:
    """The rights of *user*, who may see the tree."""
    run = may_run(user, tree_id)
    return Rights(run, run or may_cancel(user, tree_id))


def may_cancel(user: Any, tree_id: int) -> bool:
    """Whether *user* may cancel what runs of the tree."""
    try:
        access.tree_for_cancel(user, tree_id)
    except Forbidden:
        return False
    return True


def run_actions(run: Run, *, rights: Rights) -> RunActions:
    """The buttons of *run* for a user with *rights* on its tree."""
    unfinished = run.failed + run.cancelled + run.blocked + (0 if run.is_active else max(0, run.pending))
    parts = [(gettext("%(running)s running") % {"running": f"{run.running:,}"})] if run.running else []
    parts += [(gettext("%(pending)s waiting") % {"pending": f"{run.pending:,}"})] if run.pending > 0 else []
    rest = unfinished - run.failed
    frozen, newest = run.tree.archived_at is not None, run.number == run.tree.run_count
    failed = " + ".join(
        [(gettext("%(failed)s failed") % {"failed": f"{run.failed:,}"})] * bool(run.failed)
        + [(gettext("%(rest)s not done") % {"rest": f"{rest:,}"})] * bool(rest)
    )
    return RunActions(
        id=run.pk,
        tree_id=run.tree_id,
        may_run=rights.run,
        may_cancel=rights.cancel,
        active=run.is_active,
        stopping=run.cancel_requested_at is not None,
        cancel_words=(gettext("Cancel %(value)s") % {"value": ", ".join(parts)}) if parts else gettext("Cancel run"),
        failed_words=(gettext("Re-run %(failed)s") % {"failed": failed})
        if failed and newest and not run.is_active and not frozen
        else "",
        all_words="" if frozen else gettext("Re-run all"),
        frozen=frozen,
    )
