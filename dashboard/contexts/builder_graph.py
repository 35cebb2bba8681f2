"""The drawing of a draft."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext

from orchestration.domain.folding import neighbourhood
from orchestration.domain.layout import Leg, layout
from orchestration.domain.lint import Finding, Severity
from orchestration.domain.outline_edit import Array

MOST = 300  # boxes; beyond, what is near the chosen task
HOPS = 3
WIDTH, HEIGHT, PAD = 168.0, 40.0, 14.0
FITS = 1000.0  # a drawing up to this wide is made to fit
BACK = 56.0  # room around a drawing with arrows that lead back
LETTERS = 18  # cells of a name in a box


@dataclass(frozen=True, slots=True)
class Box:
    id: str
    x: float
    y: float
    name: str
    full: str
    sub: str
    here: bool
    bad: bool


@dataclass(frozen=True, slots=True)
class Arrow:
    path: str
    title: str
    optional: bool
    bad: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes and arrows with their places; *part* of a draft that is too large to be drawn whole."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: float
    height: float
    part: bool
    box_width: float = WIDTH
    box_height: float = HEIGHT

    @property
    def fits(self) -> bool:
        return self.width <= FITS


def drawing(array: Array, findings: Collection[Finding], here: str) -> Drawing:
    """The dependency graph of *array*: folders that nobody waits for are left out."""
    edges = [
        (edge["id"], item["id"], edge.get("required", True)) for item in array for edge in item.get("dependencies", [])
    ]
    shown = _shown(array, edges)
    part = len(shown) > MOST
    if part:
        above: dict[str, list[str]] = {}
        for a, b, _ in edges:
            above.setdefault(b, []).append(a)
        shown &= neighbourhood(here, above, HOPS, MOST)
    edges = [edge for edge in edges if edge[0] in shown and edge[1] in shown and edge[0] != edge[1]]
    items = [item for item in array if item["id"] in shown]
    found = layout({item["id"]: (WIDTH, HEIGHT) for item in items}, [(a, b) for a, b, _ in edges])
    names = {item["id"]: item["name"] for item in items}
    on_cycle = _cycle_edges(findings)
    errors = {f.task for f in findings if f.severity == Severity.ERROR} | {end for pair in on_cycle for end in pair}
    pad = BACK if any(x2 < x1 for legs in found.routes for x1, _, x2, _ in legs) else PAD
    boxes = [
        Box(
            item["id"], place.x + pad, place.y + pad, clip(item["name"]), item["name"], item.get("executor") or "group",
            item["id"] == here, item["id"] in errors,
        )
        for item in items
        for place in [found.places[item["id"]]]
    ]  # fmt: skip
    arrows = [
        Arrow(
            _path(legs, pad, found.height), _edge_words(names[b], names[a], required=required),
            not required, (a, b) in on_cycle,
        )
        for (a, b, required), legs in zip(edges, found.routes, strict=True)
    ]  # fmt: skip
    return Drawing(tuple(boxes), tuple(arrows), found.width + 2 * pad, found.height + 2 * pad, part)


def _shown(array: Array, edges: list[tuple[str, str, bool]]) -> set[str]:
    connected = {end for a, b, _ in edges for end in (a, b)}
    parents = {item.get("parent_id") for item in array}
    return {i["id"] for i in array if i.get("executor") or i["id"] in connected or i["id"] not in parents}


def _cycle_edges(findings: Collection[Finding]) -> set[tuple[str, str]]:
    """(awaited, waiting) along each cycle."""
    found = set()
    for finding in findings:
        if finding.code == "cycle":
            ring = finding.tasks
            found |= {(ring[(at + 1) % len(ring)], task) for at, task in enumerate(ring)}
    return found


def _path(legs: list[Leg], pad: float, bottom: float) -> str:
    """Curves from left to right; what leads back goes around below the boxes."""
    parts = []
    for x1, y1, x2, y2 in legs:
        back = x2 < x1
        bend = BACK if back else max(24.0, (x2 - x1) / 2)
        low = bottom + BACK - min(y1, y2) / 3  # the curve stays above its control points
        e, f = (low + pad, low + pad) if back else (y1 + pad, y2 + pad)
        a, b, c, d = x1 + pad, y1 + pad, x2 + pad, y2 + pad
        parts.append(f"M{a:.1f} {b:.1f}C{a + bend:.1f} {e:.1f} {c - bend:.1f} {f:.1f} {c:.1f} {d:.1f}")
    return "".join(parts)


def clip(name: str) -> str:
    """*name* on one line, as long as a box; wide characters count twice."""
    room, found = LETTERS, ""
    for character in " ".join(name.split()):
        room -= 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if room < 0:
            return found[:-1] + "…"
        found += character
    return found


def _edge_words(task: str, other: str, *, required: bool) -> str:
    text = gettext("%(task)s waits for %(other)s") if required else gettext("%(task)s waits for %(other)s (optional)")
    return text % {"task": task, "other": other}
