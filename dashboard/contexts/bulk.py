"""What the pages of operations on many rows show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext as _

from dashboard.contexts.common import Segment, State
from dashboard.texts import counted
from orchestration.domain.operations import ALLOWED, Bulk, Kind, OperationState
from orchestration.domain.states import Display
from orchestration.domain.story import duration_words
from orchestration.models import BulkOperation
from orchestration.selectors.bulk import BulkPreview

WORDS = {
    Bulk.RUN: gettext_lazy("Run"),
    Bulk.RERUN: gettext_lazy("Re-run failed"),
    Bulk.CANCEL: gettext_lazy("Cancel"),
    Bulk.COPY: gettext_lazy("Copy"),
    Bulk.ARCHIVE: gettext_lazy("Archive"),
    Bulk.LABEL: gettext_lazy("Label"),
    Bulk.DELETE: gettext_lazy("Delete"),
}
ICONS = {
    Bulk.RUN: "player-play",
    Bulk.RERUN: "refresh",
    Bulk.CANCEL: "player-stop",
    Bulk.COPY: "copy",
    Bulk.ARCHIVE: "archive",
    Bulk.LABEL: "tag",
    Bulk.DELETE: "trash",
}
EFFECTS = {
    Bulk.RUN: gettext_lazy("Every task of these trees runs again from the beginning."),
    Bulk.RERUN: gettext_lazy("What failed, was cancelled or never started runs; completed tasks keep their results."),
    Bulk.CANCEL: gettext_lazy("Running tasks are stopped, waiting ones never start. Results that exist are kept."),
    Bulk.COPY: gettext_lazy("Each copy is a tree of your own that starts from the beginning."),
    Bulk.ARCHIVE: gettext_lazy("A frozen snapshot with state and results is made of each; the trees stay as they are."),
    Bulk.LABEL: gettext_lazy("The label is added to those that they have."),
    Bulk.DELETE: gettext_lazy("The trees, all their runs, results and logs are gone. This cannot be undone."),
}
STATES = {
    OperationState.WAITING: State(Display.WAITING, "waiting"),
    OperationState.WORKING: State(Display.RUNNING, "working"),
    OperationState.DONE: State(Display.COMPLETED, "done"),
    OperationState.ABORTED: State(Display.CANCELLED, "stopped"),
}


@dataclass(frozen=True, slots=True)
class ActionChoice:
    """A button of the bar under a filter."""

    key: str
    word: str
    icon: str
    danger: bool


@dataclass(frozen=True, slots=True)
class PreviewView:
    """The question before an operation."""

    kind: str
    action: str
    word: str
    icon: str
    heading: str  # "Cancel 12 trees?"
    button: str  # "Cancel 12 trees"
    effect: str
    danger: bool
    wants_label: bool
    wants_reason: bool
    found: BulkPreview
    more: int  # possible ones that are not named


@dataclass(frozen=True, slots=True)
class OperationView:
    """An operation and how far it is."""

    id: int
    url: str
    title: str
    state: State
    open: bool
    stopping: bool
    segments: tuple[Segment, ...]
    words: str
    story: str
    failures: tuple[dict[str, Any], ...]
    more_failures: int
    base: str  # address of one item, without its id
    reason: str
    query: str
    kind: str
    actor: str
    created_at: datetime
    took: str
    since: float


def actions_for(kind: Kind) -> tuple[ActionChoice, ...]:
    """The buttons of a list."""
    return tuple(
        ActionChoice(action.value, str(WORDS[action]), ICONS[action], action in {Bulk.CANCEL, Bulk.DELETE})
        for action in ALLOWED[kind]
    )


def preview_view(kind: Kind, action: Bulk, found: BulkPreview) -> PreviewView:
    """The preview ready to be shown."""
    what = f"{WORDS[action]} {counted(len(found.ids), kind.removesuffix('s'))}"
    return PreviewView(
        kind=kind.value,
        action=action.value,
        word=str(WORDS[action]),
        icon=ICONS[action],
        heading=f"{what}?",
        button=what,
        effect=str(EFFECTS[action]),
        danger=action in {Bulk.CANCEL, Bulk.DELETE},
        wants_label=action is Bulk.LABEL,
        wants_reason=action in {Bulk.CANCEL, Bulk.DELETE},
        found=found,
        more=len(found.ids) - len(found.names),
    )


def operation_view(operation: BulkOperation, now: datetime) -> OperationView:
    """The operation ready to be shown; its ids are not looked at."""
    good = operation.done - operation.failed
    total = max(1, operation.total)
    parts = [Segment(Display.COMPLETED, "0.00", f"{100 * good / total:.2f}")]
    parts.append(Segment(Display.FAILED, f"{100 * good / total:.2f}", f"{100 * operation.failed / total:.2f}"))
    failures = operation.failures if "failures" not in operation.get_deferred_fields() else []
    return OperationView(
        id=operation.pk,
        url=operation.get_absolute_url(),
        title=f"{WORDS[Bulk(operation.action)]} {counted(operation.total, operation.kind.removesuffix('s'))}",
        state=STATES[OperationState(operation.state)],
        open=operation.is_open,
        stopping=operation.is_open and operation.abort_requested,
        segments=tuple(parts),
        words=(gettext("%(done)s of %(total)s") % {"done": f"{operation.done:,}", "total": f"{operation.total:,}"}),
        story=_story(operation, good),
        failures=tuple(failures),
        more_failures=operation.failed - len(failures),
        base=f"/{operation.kind}/",
        reason=operation.reason,
        query=operation.query,
        kind=operation.kind,
        actor=operation.actor.get_username() if operation.actor else "—",
        created_at=operation.created_at,
        took=duration_words(((operation.ended_at or now) - operation.created_at).total_seconds()),
        since=operation.created_at.timestamp() if operation.is_open else 0,
    )


def _story(operation: BulkOperation, good: int) -> str:
    left = operation.total - operation.done
    told = [_("%(n)s done") % {"n": f"{good:,}"}]
    if operation.failed:
        told.append(_("%(n)s refused or failed") % {"n": f"{operation.failed:,}"})
    if left:
        told.append((_("%(n)s to go") if operation.is_open else _("%(n)s not touched")) % {"n": f"{left:,}"})
    if operation.refused:
        told.append(_("%(n)s left out from the beginning") % {"n": f"{operation.refused:,}"})
    return ", ".join(told) + "."
