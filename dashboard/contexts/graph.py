"""What the graph page shows: boxes, arrows and frames with their places, as numbers for an SVG."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import ceil, sqrt
from uuid import UUID

from django.utils.translation import gettext, gettext_lazy

from dashboard.contexts.common import State, query_of
from dashboard.contexts.graph_frames import Frame, frames_of
from dashboard.contexts.graph_plan import GraphQuery, Look, Plan
from orchestration.domain.folding import Link
from orchestration.domain.layout import Leg, layout
from orchestration.selectors.graph import GraphTask

WIDTH, HEIGHT = 212, 48
STEP_X, STEP_Y = 228, 62  # from box to box in a block
PAD = 12  # around a block
EDGE = 28  # around the whole
NAME = 21  # columns of text in a box
DENSE = 500  # arrows above which they are drawn together, and faintly
TIP = "h5m-5-3l5 3-5 3"
BROAD = frozenset("MWmw@%&—…QGO")  # characters that need more room
CALM = 100  # boxes above which nothing in them moves
LISTED = 300  # boxes in the text alternative
WAITS = 8  # dependencies named there
WORDS = {
    ("req", "met"): gettext_lazy("required, satisfied"),
    ("req", "unmet"): gettext_lazy("required, not met: blocks what waits"),
    ("req", "open"): gettext_lazy("required, still open"),
    ("opt", "met"): gettext_lazy("optional, completed"),
    ("opt", "unmet"): gettext_lazy("optional, did not complete: ignored"),
    ("opt", "open"): gettext_lazy("optional, still open"),
}


@dataclass(frozen=True, slots=True)
class Box:
    """A task, or several as one."""

    key: str
    url: str
    x: int
    y: int
    name: str
    title: str
    state: State | None
    word: str
    text: str
    since: float
    bar: str  # width of the progress bar, "" for none
    block: str  # the block it stands in, or ""
    here: bool  # the middle of a neighbourhood
    many: bool
    hint: str  # the whole name


@dataclass(frozen=True, slots=True)
class Arrow:
    source: str
    target: str
    kind: str  # req or opt
    outcome: str  # open, met or unmet
    path: str
    title: str


@dataclass(frozen=True, slots=True)
class Batch:
    """All arrows of one kind and outcome as one path: thousands of elements would cost the browser seconds."""

    kind: str
    outcome: str
    ends: str  # "0-5 k3-7": the numbers of the boxes of each arrow, with k the block of that box
    path: str  # each arrow begins with its only M


@dataclass(frozen=True, slots=True)
class Line:
    """A box in words."""

    key: str
    name: str
    url: str
    word: str
    waits: str


@dataclass(frozen=True, slots=True)
class GraphView:
    """The drawing and what stands around it."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]  # one by one, or
    batches: tuple[Batch, ...]  # when there are too many for that
    frames: tuple[Frame, ...]
    lines: tuple[Line, ...]
    more_lines: int
    width: str
    height: str
    signature: str
    tasks: int
    folded: bool
    can_fold: bool
    state: str
    live: bool
    dense: bool
    calm: bool
    box_width: int = WIDTH
    box_height: int = HEIGHT
    words: dict[str, str] = field(default_factory=lambda: {"-".join(key): str(text) for key, text in WORDS.items()})


@dataclass(frozen=True, slots=True)
class _Drawing:
    """Where everything is."""

    at: dict[str, tuple[float, float]]
    block_of: dict[str, str]
    sizes: dict[str, tuple[float, float]]
    arrows: dict[tuple[str, str, bool], int]
    legs: list[list[Leg]]
    blocks: dict[str, tuple[float, float, float, float]]
    width: float
    height: float


def graph_view(
    plan: Plan, tasks: Sequence[GraphTask], looks: Mapping[str, Look], query: GraphQuery, base: str, run_id: int | None
) -> GraphView:
    """The whole drawing. *base*: the address of the page; *run_id*: the run whose states it shows, if any."""
    known = {task.id: task for task in tasks}
    drawing = _drawing(plan)
    names = {key: _name(key, ids, known) for key, ids in plan.members.items()}
    names |= {key: (gettext("%(len)s tasks") % {"len": len(boxes)}) for key, boxes in plan.blocks.items()}
    boxes = tuple(
        _box(key, ids, names[key], looks[key], drawing, _url(key, ids, base, run_id), query)
        for key, ids in plan.members.items()
    )
    waits: dict[str, list[Link]] = {}
    for arrow in plan.arrows:
        waits.setdefault(arrow.target, []).append(arrow)
    lines = [_line(box, names, waits.get(box.key, [])) for box in boxes[:LISTED]]
    arrows, dense = _arrows(drawing, looks, names), len(drawing.arrows) > DENSE
    inner = {drawing.block_of[key] for key in plan.members if key in drawing.block_of}
    return GraphView(
        boxes=boxes,
        arrows=() if dense else tuple(arrows),
        batches=_batches(arrows, plan) if dense else (),
        frames=frames_of(plan, known, drawing.at, {k: drawing.blocks[k] for k in inner}, (WIDTH, HEIGHT)),
        lines=tuple(lines),
        more_lines=len(boxes) - len(lines),
        width=f"{drawing.width:.0f}",
        height=f"{drawing.height:.0f}",
        signature=plan.signature,
        tasks=plan.tasks,
        folded=any(box.many for box in boxes),
        can_fold=plan.whole > 12 and any(task.parent for task in tasks if task.id in plan.members),
        state=query.state,
        live=run_id is not None,
        dense=dense,
        calm=len(boxes) > CALM,
    )


def _drawing(plan: Plan) -> _Drawing:
    block_of = {key: block for block, keys in plan.blocks.items() for key in keys}
    sizes: dict[str, tuple[float, float]] = {}
    for key in plan.members:
        block = block_of.get(key)
        sizes[block or key] = _block_size(len(plan.blocks[block])) if block else (WIDTH, HEIGHT)
    arrows: dict[tuple[str, str, bool], int] = {}
    for arrow in plan.arrows:
        drawn = block_of.get(arrow.source, arrow.source), block_of.get(arrow.target, arrow.target), arrow.required
        arrows[drawn] = arrows.get(drawn, 0) + arrow.count
    found = layout(sizes, [(a, b) for a, b, _ in arrows])
    at, blocks = {}, {}
    for key in sizes:
        x, y = found.places[key].x + EDGE, found.places[key].y + EDGE
        if key in plan.blocks:
            blocks[key] = (x, y, *sizes[key])
            columns = _block_columns(len(plan.blocks[key]))
            for number, member in enumerate(plan.blocks[key]):
                row, column = divmod(number, columns)
                at[member] = (x + PAD + column * STEP_X, y + PAD + row * STEP_Y)
        else:
            at[key] = (x, y)
    width, height = found.width + 2 * EDGE, found.height + 2 * EDGE
    return _Drawing(at, block_of, sizes, arrows, found.routes, blocks, width, height)


def _block_columns(count: int) -> int:
    return max(2, round(sqrt(0.33 * count)))


def _block_size(count: int) -> tuple[float, float]:
    columns = _block_columns(count)
    rows = ceil(count / columns)
    return 2 * PAD + columns * STEP_X - (STEP_X - WIDTH), 2 * PAD + rows * STEP_Y - (STEP_Y - HEIGHT)


def _name(key: str, ids: list[str], known: Mapping[str, GraphTask]) -> str:
    if len(ids) == 1:
        return known[ids[0]].name
    if "w" in key:
        return f"{known[ids[0]].name} +{len(ids) - 1:,}"
    return f"{known[key].name} ({len(ids):,})"


def _url(key: str, ids: list[str], base: str, run_id: int | None) -> str:
    if len(ids) == 1:
        return f"/tasks/{UUID(ids[0])}" + (f"?run={run_id}" if run_id else "")
    if "w" in key:
        return f"{base}?{query_of(around=UUID(ids[0]))}"
    return f"{base}?{query_of(inside=UUID(key))}"


def _box(key: str, ids: list[str], name: str, look: Look, drawing: _Drawing, url: str, query: GraphQuery) -> Box:
    state, word, text, since, percent, _ = look
    x, y = drawing.at[key]
    return Box(
        key=key,
        url=url,
        x=round(x),
        y=round(y),
        name=cut(name),
        title=f"{name}: {word} {text}".rstrip(),
        state=State(state, word) if state else None,
        word=word,
        text=text,
        since=since,
        bar=f"{(WIDTH - 14) * percent / 100:.1f}" if percent else "",
        block=drawing.block_of.get(key, ""),
        here=query.around is not None and query.around.hex in ids,
        many=len(ids) > 1,
        hint=name,
    )


def cut(name: str) -> str:
    """As much of *name* as fits in a box, in one line."""
    width = 0.0
    kept: list[str] = []
    for char in " ".join(name.split()):
        width += 2 if unicodedata.east_asian_width(char) in "WF" else 1.4 if char in BROAD else 1
        if width > NAME:
            return "".join(kept[:-1]).rstrip() + "…"
        kept.append(char)
    return "".join(kept)


def _arrows(drawing: _Drawing, looks: Mapping[str, Look], names: Mapping[str, str]) -> list[Arrow]:
    found = []
    for ((source, target, required), count), legs in zip(drawing.arrows.items(), drawing.legs, strict=True):
        kind = "req" if required else "opt"
        outcome = looks[source][5] if source in looks else "open"
        label = f"{names[source]} → {names[target]}" + (
            (gettext(" (%(count)s dependencies)") % {"count": f"{count:,}"}) if count > 1 else ""
        )
        title = f"{label} — {WORDS[kind, outcome]}"
        found.append(Arrow(source, target, kind, outcome, _path(legs), title))
    return sorted(found, key=lambda arrow: (arrow.kind, arrow.outcome))  # what blocks is drawn last


def _batches(arrows: list[Arrow], plan: Plan) -> tuple[Batch, ...]:
    """*arrows*, sorted, by kind and outcome. The tip is a part of the path: markers stand at the end of it only."""
    ends = {key: str(number) for number, key in enumerate(plan.members)}
    ends |= {block: f"k{ends[keys[0]]}" for block, keys in plan.blocks.items()}
    found = []
    for (kind, outcome), group in groupby(arrows, key=lambda arrow: (arrow.kind, arrow.outcome)):
        together = list(group)
        pairs = " ".join(f"{ends[arrow.source]}-{ends[arrow.target]}" for arrow in together)
        found.append(Batch(kind, outcome, pairs, "".join(f"{arrow.path}{TIP}" for arrow in together)))
    return tuple(found)


def _path(legs: list[Leg]) -> str:
    x, y, *_ = legs[0]
    parts = [f"M{x + EDGE:.0f} {y + EDGE:.0f}"]
    for x1, y1, x2, y2 in legs:
        if parts[-1][0] != "M" or x1 != x:
            parts.append(f"H{x1 + EDGE:.0f}")
        middle = (x1 + x2) / 2 + EDGE
        last = x2 + EDGE - (5 if (x1, y1, x2, y2) == legs[-1] else 0)
        if abs(y1 - y2) < 0.5:
            parts.append(f"H{last:.0f}")
        else:
            parts.append(f"C{middle:.0f} {y1 + EDGE:.0f} {middle:.0f} {y2 + EDGE:.0f} {last:.0f} {y2 + EDGE:.0f}")
    return "".join(parts)


def _line(box: Box, names: Mapping[str, str], arrows: list[Link]) -> Line:
    waits = [f"{names[a.source]}{'' if a.required else ' (optional)'}" for a in arrows]
    more = (gettext(" and %(value)s more") % {"value": f"{len(waits) - WAITS:,}"}) if len(waits) > WAITS else ""
    return Line(box.key, box.hint, box.url, box.word, ", ".join(waits[:WAITS]) + more)
