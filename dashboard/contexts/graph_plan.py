"""Which boxes and arrows a graph has, and how each box looks at the moment: what page, poll and socket agree on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext

from orchestration.domain.folding import Item, Link, branch, fold, links, neighbourhood, twins
from orchestration.domain.states import Display
from orchestration.domain.story import duration_words
from orchestration.selectors.graph import GraphTask

AUTO = 1500  # boxes above which branches are folded
FEW = 60  # the same when the folded view is asked for
SOME = 300  # the same when there are too many arrows, and in a neighbourhood
MOST = 3000  # never more
ARROWS = 8000
ROOM = 25  # characters of a box's second line
TANGLE = 12  # arrows per folded box above which waves are drawn instead of branches

type Fold = Literal["auto", "all", "none"]
LIMITS: dict[Fold, int] = {"auto": AUTO, "all": FEW, "none": MOST}
type Look = tuple[str, str, str, float, int, str]  # state, word, text, running since, percent, outcome
UNMET = frozenset({Display.FAILED, Display.CANCELLED, Display.BLOCKED})
RUNNING = frozenset({Display.RUNNING, Display.STOPPING})
GRAVEST = (
    Display.FAILED, Display.BLOCKED, Display.STOPPING, Display.RETRYING, Display.RUNNING, Display.READY,
    Display.WAITING, Display.IDLE, Display.CANCELLED, Display.COMPLETED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GraphQuery:
    """What part of a graph is asked for, and how."""

    around: UUID | None = None
    hops: int = 2
    inside: UUID | None = None
    fold: Fold = "auto"
    state: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Boxes with their tasks, arrows between them, and blocks of boxes that have the same arrows."""

    members: dict[str, list[str]]
    arrows: list[Link]
    blocks: dict[str, list[str]]  # id of the block -> its boxes
    signature: str
    tasks: int
    whole: int  # boxes that it would take without folding
    optional: frozenset[str] = frozenset()  # tasks for which others wait, and only optionally


def plan_of(tasks: list[GraphTask], edges: Sequence[tuple[str, str, bool]], query: GraphQuery) -> Plan:
    """The boxes of the part that *query* asks for."""
    connected = {end for a, b, _ in edges for end in (a, b)}
    parents = {task.parent for task in tasks}
    scope = _scope(tasks, edges, query)
    items = [
        Item(t.id, t.parent, t.state == Display.COMPLETED, bool(t.executor) or t.id in connected or t.id not in parents)
        for t in tasks
        if scope is None or t.id in scope
    ]
    pairs = [(a, b) for a, b, _ in edges]
    box = fold(items, pairs, MOST if query.around else LIMITS[query.fold])
    arrows = links(box, edges)
    if len(arrows) > ARROWS:
        box = fold(items, pairs, SOME)
        arrows = links(box, edges)
    if len(set(box.values())) < len(box) and len(arrows) > TANGLE * len(set(box.values())):  # branches tell nothing
        flat = [items[0], *(replace(item, parent=items[0].id) for item in items[1:])]
        box = fold(flat, pairs, SOME)
        arrows = links(box, edges)
    members: dict[str, list[str]] = {}
    for task, key in box.items():
        members.setdefault(key, []).append(task)
    blocks = {f"k{first}": found for first, found in twins(list(members), arrows).items()}
    text = "".join(f"{key}{len(found)}" for key, found in members.items())
    signature = hashlib.blake2s(text.encode(), digest_size=8).hexdigest()
    optional = frozenset({a for a, _, _ in edges} - {a for a, _, required in edges if required})
    return Plan(members, arrows, blocks, signature, len(items), sum(item.drawn for item in items), optional)


def _scope(tasks: list[GraphTask], edges: Sequence[tuple[str, str, bool]], query: GraphQuery) -> set[str] | None:
    if query.around is not None:
        waits_for: dict[str, list[str]] = {}
        for a, b, _ in edges:
            waits_for.setdefault(b, []).append(a)
        return neighbourhood(query.around.hex, waits_for, query.hops, SOME)
    if query.inside is not None:
        return branch(query.inside.hex, ((task.id, task.parent) for task in tasks))
    return None


def looks_of(plan: Plan, tasks: Iterable[GraphTask], *, active: bool) -> dict[str, Look]:
    """How each box looks, and what each block means for what waits for it. *active*: the run has not ended."""
    known = {task.id: task for task in tasks}
    looks = {}
    for key, ids in plan.members.items():
        found = [known[one] for one in ids if one in known]
        if found:
            one = len(ids) == 1
            looks[key] = _one(found[0], active=active, optional=ids[0] in plan.optional) if one else _many(found)
    for key, boxes in plan.blocks.items():
        looks[key] = ("", "", "", 0, 0, _together(looks[one][5] for one in boxes if one in looks))
    return looks


def definition_looks(plan: Plan, tasks: Iterable[GraphTask]) -> dict[str, Look]:
    """How each box looks as long as nothing runs: by executor."""
    known = {task.id: task for task in tasks}
    looks: dict[str, Look] = {}
    for key, ids in plan.members.items():
        text = (
            (known[ids[0]].executor or "group")[:ROOM]
            if len(ids) == 1
            else (gettext("%(len)s tasks") % {"len": f"{len(ids):,}"})
        )
        looks[key] = ("", text, "", 0, 0, "open")
    return looks


def _one(task: GraphTask, *, active: bool, optional: bool) -> Look:
    key, word = str(task.state), str(task.state)
    if optional and task.state == Display.FAILED and not task.reused:
        key = word = "ignored"
    if task.reused and task.state == Display.COMPLETED:
        key = word = "reused"
    elif task.state == Display.IDLE and not active:
        word = gettext("not run")
    running = task.state in RUNNING
    since = round(task.started_at.timestamp(), 3) if running and task.started_at else 0
    percent = round(100 * task.progress) if running else 0
    return key, word, _took(task, running=running), since, percent, _outcome(task.state)


def _took(task: GraphTask, *, running: bool) -> str:
    if task.started_at is None or task.reused:
        return ""
    end = task.completed_at or (timezone.now() if running else None)
    return duration_words((end - task.started_at).total_seconds()) if end else ""


def _many(tasks: list[GraphTask]) -> Look:
    counts = Counter(task.state for task in tasks)
    present = [state for state in GRAVEST if counts[state]]
    words = [f"{counts[state]:,} {state}" for state in present]
    done = sum(task.progress if task.state in RUNNING else task.state == Display.COMPLETED for task in tasks)
    fits = len(words) == 2 and len(words[0]) + len(words[1]) <= ROOM
    text = f"· {words[1]}" if fits else "…" if len(words) > 1 else ""
    share = int(100 * done / len(tasks))
    return str(present[0]), words[0], text, 0, share, _together(_outcome(task.state) for task in tasks)


def _outcome(state: Display) -> str:
    return "met" if state == Display.COMPLETED else "unmet" if state in UNMET else "open"


def _together(outcomes: Iterable[str]) -> str:
    found = set(outcomes)
    return "unmet" if "unmet" in found else "met" if found == {"met"} else "open"


def news_of(looks: Mapping[str, Look], sent: Mapping[str, Look]) -> dict[str, Look]:
    """What of *looks* a viewer that has *sent* does not know yet; a running clock is no news."""
    return {key: look for key, look in looks.items() if _told(look) != _told(sent.get(key))}


def _told(look: Look | None) -> Look | None:
    return (*look[:2], "", *look[3:]) if look and look[3] else look
