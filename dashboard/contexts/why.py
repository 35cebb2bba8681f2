"""Why a task does not run, as a chain that can be drawn, with a button per remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.contexts.common import State
from orchestration.domain.explain.remedies import Remedy, RemedyKind
from orchestration.domain.explain.sentences import Relation
from orchestration.domain.explain.waiting import Link
from orchestration.domain.states import Display, Status
from orchestration.models import Task
from orchestration.selectors.explain import TaskExplanation, explain_task

STATES = {
    Relation.WAITS_FOR: (Display.WAITING, "waits"),
    Relation.BLOCKED_BY: (Display.BLOCKED, "blocked"),
    Relation.SLOT: (Display.READY, gettext_lazy("waits for a slot")),
    Relation.BACK_OFF: (Display.RETRYING, gettext_lazy("waits for its back-off")),
    Relation.ENGINE: (Display.READY, gettext_lazy("waits for the engine")),
    Relation.RUNNING: (Display.RUNNING, "running"),
    Relation.STOPPING: (Display.STOPPING, "stopping"),
    Relation.COMPLETED: (Display.COMPLETED, "completed"),
    Relation.FAILED: (Display.FAILED, "failed"),
    Relation.CANCELLED: (Display.CANCELLED, "cancelled"),
    Relation.NOT_IN_RUN: (Display.IDLE, gettext_lazy("not in an active run")),
}


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One task of the chain and how it hangs on the next."""

    name: str
    url: str
    state: State
    since: datetime | None
    until: datetime | None
    kind: str  # required, optional, "" at the end
    own: bool


@dataclass(frozen=True, slots=True)
class RemedyButton:
    """A thing that would release the task: an address to go to."""

    label: str
    url: str
    icon: str


@dataclass(frozen=True, slots=True)
class WhyView:
    headline: str
    never: bool
    chain: tuple[ChainLink, ...]
    hidden: int
    siblings: tuple[ChainLink, ...]
    siblings_more: int
    holders: tuple[tuple[str, str], ...]  # name, address ("" = hidden) of those who hold the slots
    remedies: tuple[RemedyButton, ...]


def task_why(user: Any, task: Task, *, allowed: bool, editable: bool) -> WhyView | None:
    """Why *task* does not run; None when it does, or has, or when nobody has asked for it."""
    if task.status != Status.PENDING or task.run is None:
        return None
    if not task.run.is_active and task.blocked_by_id is None:
        return None
    return why_view(explain_task(user, task.pk), task, allowed=allowed, editable=editable)


def why_view(found: TaskExplanation, task: Task, *, allowed: bool, editable: bool) -> WhyView:
    """*found* ready to be drawn; buttons only for those who may press them: run the tree (*allowed*), change it."""
    why = found.why
    holders = why.queue.holders if why.queue else ()
    editable = editable and not (task.run and task.run.is_active)
    buttons = [_remedy(remedy, task, editable=editable) for remedy in why.remedies] if allowed else []
    return WhyView(
        headline=why.headline,
        never=why.never,
        chain=tuple(_link(link, task) for link in why.chain),
        hidden=why.hidden,
        siblings=tuple(_link(link, task) for link in why.siblings),
        siblings_more=max(0, why.siblings_total - len(why.siblings)),
        holders=tuple((h.name, f"/tasks/{UUID(h.task)}" if h.task else "") for h in holders[:8]),
        remedies=tuple(button for button in buttons if button is not None),
    )


def _link(link: Link, task: Task) -> ChainLink:
    key, word = STATES[link.relation]
    kind = "" if link.required is None else "required" if link.required else "optional"
    own = link.task == task.pk.hex
    return ChainLink(
        link.name, f"/tasks/{UUID(link.task)}", State(str(key), str(word)), link.since, link.until, kind, own
    )


def _remedy(remedy: Remedy, task: Task, *, editable: bool) -> RemedyButton | None:
    """None for what no page can do: start an engine, change a dependency while a run holds it."""
    target = UUID(remedy.task_id)
    plan = f"/trees/{task.tree_id}/start?task={target}"
    urls: Mapping[RemedyKind, tuple[str, str]] = {
        RemedyKind.RERUN: (f"{plan}&mode=from", "refresh"),
        RemedyKind.RUN: (f"{plan}&mode=only", "player-play"),
        RemedyKind.CANCEL: (f"/tasks/{target}/cancel", "player-stop"),
    }
    if remedy.kind is RemedyKind.MAKE_OPTIONAL and editable and remedy.depends_on:
        url = f"/tasks/{target}/release?on={UUID(remedy.depends_on)}"
        return RemedyButton(_("%(what)s and run it again…") % {"what": remedy.label}, url, "binary-tree-2")
    if remedy.kind not in urls:
        return None
    url, icon = urls[remedy.kind]
    return RemedyButton(f"{remedy.label}…", url, icon)
