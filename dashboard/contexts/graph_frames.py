"""Frames around the boxes of one parent, where that shows nothing wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dashboard.contexts.graph_plan import Plan
from orchestration.selectors.graph import GraphTask

MOST = 400  # boxes above which no frames are drawn
TOP, SIDE, BOTTOM = 20, 9, 4  # room inside a frame

type Rect = tuple[float, float, float, float]  # x, y, width, height


@dataclass(frozen=True, slots=True)
class Frame:
    """A parent, or a block of boxes with the same arrows (without a name)."""

    key: str
    name: str
    x: str
    y: str
    width: str
    height: str


def frames_of(
    plan: Plan,
    known: Mapping[str, GraphTask],
    at: Mapping[str, tuple[float, float]],
    blocks: Mapping[str, Rect],
    size: tuple[float, float],
) -> tuple[Frame, ...]:
    """The frames, outer ones first: each holds all boxes of its parent, and no other."""
    plain = [_frame(key, "", rect) for key, rect in blocks.items()]
    if len(plan.members) > MOST:
        return tuple(plain)
    rects = {key: (x, y, *size) for key, (x, y) in at.items()}
    for key, keys in plan.blocks.items():
        rects |= dict.fromkeys(keys, blocks[key])
    named = []
    taken: list[tuple[set[str], Rect]] = []
    for parent, inside in _by_parent(plan, known):
        rect = _around([rects[key] for key in inside], [r for keys, r in taken if keys <= inside])
        others = [rects[key] for key in rects if key not in inside] + [r for keys, r in taken if not keys & inside]
        if not any(_touch(rect, other) for other in others):
            taken.append((inside, rect))
            named.append(_frame(f"f-{parent}", known[parent].name, rect))
    return tuple(reversed(named)) + tuple(plain)


def _by_parent(plan: Plan, known: Mapping[str, GraphTask]) -> list[tuple[str, set[str]]]:
    """(group, the boxes under it), smallest first; the root and groups of a single box are left out."""
    found: dict[str, set[str]] = {}
    for key in plan.members:
        above: str | None = (
            key.split("w")[0] if "w" in key else known[key].parent
        )  # a box of some siblings is inside their parent
        while above is not None and above in known:
            if above != key and known[above].parent is not None and above not in plan.members:
                found.setdefault(above, set()).add(key)
            above = known[above].parent
    groups = [(parent, keys) for parent, keys in found.items() if 1 < len(keys) < len(plan.members)]
    return sorted(groups, key=lambda group: len(group[1]))


def _around(rects: list[Rect], frames: list[Rect]) -> Rect:
    every = rects + frames
    left, top = min(r[0] for r in every) - SIDE, min(r[1] for r in every) - TOP
    right, bottom = max(r[0] + r[2] for r in every) + SIDE, max(r[1] + r[3] for r in every) + BOTTOM
    return left, top, right - left, bottom - top


def _touch(a: Rect, b: Rect) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def _frame(key: str, name: str, rect: Rect) -> Frame:
    x, y, width, height = (f"{value:.1f}" for value in rect)
    return Frame(key, name, x, y, width, height)
