"""Actions on many trees or runs at once: what they are called, and what each is refused for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestration.domain.states import Status
from orchestration.domain.words import gettext_noop


class Bulk(StrEnum):
    """What can be done to many at once."""

    RUN = "run"
    RERUN = "rerun"
    CANCEL = "cancel"
    COPY = "copy"
    ARCHIVE = "archive"
    LABEL = "label"
    DELETE = "delete"


class Kind(StrEnum):
    """What an operation works on."""

    TREES = "trees"
    RUNS = "runs"


class OperationState(StrEnum):
    """How far an operation is."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    ABORTED = "aborted"


OPEN = frozenset({OperationState.WAITING, OperationState.WORKING})

ALLOWED: dict[Kind, tuple[Bulk, ...]] = {
    Kind.TREES: tuple(Bulk),
    Kind.RUNS: (Bulk.RERUN, Bulk.CANCEL),
}

PERMISSION = {
    Bulk.RUN: "orchestration.run_tree",
    Bulk.RERUN: "orchestration.run_tree",
    Bulk.CANCEL: "orchestration.run_tree",
    Bulk.COPY: "orchestration.add_tree",
    Bulk.ARCHIVE: "orchestration.add_tree",
    Bulk.LABEL: "orchestration.change_tree",
    Bulk.DELETE: "orchestration.change_tree",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chosen tree or run, with what decides whether an action is possible."""

    id: int
    name: str
    owned: bool
    may_run: bool
    archived: bool
    status: str  # of the run, or of the newest run of the tree; "" = has not run
    active: bool  # a run of the tree has not ended
    newest: bool = True  # of a run: it is the newest of its tree
    linked: bool = False  # other trees show results of this one


def refusal(action: Bulk, item: Candidate) -> str:
    """Why *action* cannot be done to *item* now; empty when it can. The services have the last word.

    A text for `gettext`: it is the same for many items, so who lists them translates it once.
    """
    for of_action, applies, reason in RULES:
        if action in of_action and applies(item):
            return reason
    return ""


_RUNNING = {Bulk.RUN, Bulk.RERUN}
_RULES_OF_RIGHTS = (
    ({*_RUNNING, Bulk.CANCEL}, lambda i: not i.may_run, gettext_noop("shared with you for viewing only")),
    ({Bulk.DELETE, Bulk.LABEL}, lambda i: not i.owned, gettext_noop("owned by somebody else")),
)
RULES = (
    *_RULES_OF_RIGHTS,
    ({*_RUNNING, Bulk.DELETE}, lambda i: i.archived, gettext_noop("archived and frozen: copy it, and use the copy")),
    ({Bulk.ARCHIVE}, lambda i: i.archived, gettext_noop("archived already")),
    ({*_RUNNING, Bulk.DELETE}, lambda i: i.active, gettext_noop("a run is active: cancel it or wait for its end")),
    ({Bulk.CANCEL}, lambda i: i.status != Status.IN_PROGRESS, gettext_noop("not running")),
    ({Bulk.RERUN}, lambda i: not i.status, gettext_noop("has not run yet: use Run")),
    ({Bulk.RERUN}, lambda i: not i.newest, gettext_noop("not the newest run of its tree")),
    (
        {Bulk.RERUN},
        lambda i: i.status == Status.COMPLETED,
        gettext_noop("everything completed: there is nothing to repair"),
    ),
    (
        {Bulk.ARCHIVE},
        lambda i: i.status != Status.COMPLETED,
        gettext_noop("not completed: only a completed tree can be archived"),
    ),
    ({Bulk.DELETE}, lambda i: i.linked, gettext_noop("other trees link to its results: delete those first")),
)
"""In the order in which the reasons are told."""
