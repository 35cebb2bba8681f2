"""Where the boxes of a dependency graph stand: layers from left to right, few crossings, straight edges.

Everything is linear in boxes and edges per sweep and depends on nothing but its input, so the same graph always looks
the same. Nothing recurses: a chain of 10,000 is as fine as a fan of 10,000.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP_X = 68.0  # between columns: room for the curves
GAP_Y = 24.0  # between boxes of a column: room for the name of a frame
LANE = 6.0  # height that an edge keeps free where it passes a column
SWEEPS = 6
MAX_LANES = 20_000  # points at which edges pass columns; beyond, edges run straight

type Leg = tuple[float, float, float, float]  # from x, y to x, y


@dataclass(frozen=True, slots=True)
class Place:
    """The upper left corner of a box, and its layer."""

    x: float
    y: float
    layer: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A place for each box; for each edge the legs between columns, from left to right."""

    places: dict[str, Place]
    routes: list[list[Leg]]
    width: float
    height: float


@dataclass(slots=True)
class _Grid:
    """Boxes first, then the lanes of long edges, by number."""

    layer: list[int]
    height: list[float]
    up: list[list[int]]
    down: list[list[int]]
    boxes: int

    def add(self, layer: int, height: float) -> int:
        self.layer.append(layer)
        self.height.append(height)
        self.up.append([])
        self.down.append([])
        return len(self.layer) - 1

    def join(self, a: int, b: int) -> None:
        self.down[a].append(b)
        self.up[b].append(a)


def layout(sizes: Mapping[str, tuple[float, float]], edges: Sequence[tuple[str, str]]) -> Layout:
    """Places for boxes of *sizes* (width, height); an edge (a, b) puts a left of b, unless it closes a cycle."""
    index = {key: number for number, key in enumerate(sizes)}
    pairs = [(index[a], index[b]) for a, b in edges]
    layer = layers_of(len(index), pairs)
    grid = _Grid([], [], [], [], len(index))
    for number, (_, height) in enumerate(sizes.values()):
        grid.add(layer[number], height)
    paths = _paths(grid, pairs)
    columns = _ordered(grid)
    middle = _heights(grid, columns)
    widths = [width for width, _ in sizes.values()]
    lefts, rights = _columns(columns, widths)
    places = {}
    for key, number in index.items():
        at = layer[number]
        places[key] = Place(lefts[at], middle[number] - grid.height[number] / 2, at)
    routes = [_legs(path, grid, middle, lefts, rights, widths) for path in paths]
    bottom = max((place.y + sizes[key][1] for key, place in places.items()), default=0.0)
    return Layout(places, routes, rights[-1] if rights else 0.0, max([bottom, *middle], default=0.0))


def layers_of(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each of *count* boxes: one more than the highest it waits for. A cycle is cut where it is met."""
    down: list[list[int]] = [[] for _ in range(count)]
    open_ends = [0] * count
    for a, b in pairs:
        down[a].append(b)
        open_ends[b] += 1
    sources = [number for number in range(count) if not open_ends[number]]
    layer, done = [0] * count, [False] * count
    todo, rest = list(sources), 0
    while True:
        for number in todo:
            done[number] = True
            for following in (box for box in down[number] if not done[box]):
                layer[following] = max(layer[following], layer[number] + 1)
                open_ends[following] -= 1
                if not open_ends[following]:
                    todo.append(following)
        while rest < count and done[rest]:
            rest += 1
        if rest == count:
            break
        todo = [rest]  # on a cycle
        open_ends[rest] = 0
    for number in sources:  # close to what first needs them
        if down[number]:
            layer[number] = max(0, min(layer[following] for following in down[number]) - 1)
    return layer


def _paths(grid: _Grid, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Box, lanes, box of each edge. Edges of one box share their lanes."""
    lanes: dict[tuple[int, int], int] = {}
    joined: set[tuple[int, int]] = set()
    left = MAX_LANES
    paths: list[list[int]] = [[] for _ in pairs]
    spans = [grid.layer[b] - grid.layer[a] for a, b in pairs]
    for number in sorted(range(len(pairs)), key=spans.__getitem__):
        a, b = pairs[number]
        path = [a]
        if 1 < spans[number] <= left:
            left -= spans[number]
            for at in range(grid.layer[a] + 1, grid.layer[b]):
                if (a, at) not in lanes:
                    lanes[a, at] = grid.add(at, LANE)
                path.append(lanes[a, at])
        path.append(b)
        paths[number] = path
        for step in pairwise(path):
            if spans[number] > 0 and step not in joined:
                joined.add(step)
                grid.join(*step)
    return paths


def _ordered(grid: _Grid) -> list[list[int]]:
    """The boxes and lanes of each column from top to bottom, after barycentre sweeps."""
    columns: list[list[int]] = [[] for _ in range(max(grid.layer, default=-1) + 1)]
    for number, at in enumerate(grid.layer):
        columns[at].append(number)
    place = [0.0] * len(grid.layer)
    for column in columns:
        for at, number in enumerate(column):
            place[number] = at
    for sweep in range(SWEEPS):
        near = grid.down if sweep % 2 else grid.up
        for column in reversed(columns) if sweep % 2 else columns:
            wanted = {n: sum(place[m] for m in near[n]) / len(near[n]) if near[n] else place[n] for n in column}
            column.sort(key=wanted.__getitem__)
            for at, number in enumerate(column):
                place[number] = at
    return columns


def _heights(grid: _Grid, columns: list[list[int]]) -> list[float]:
    """The middle of each box and lane: as near to its neighbours as the order and the gaps allow."""
    middle = [0.0] * len(grid.layer)
    offsets = [_offsets(grid, column) for column in columns]
    for column, offset in zip(columns, offsets, strict=True):
        shift = offset[-1] / 2 if offset else 0.0
        for number, at in zip(column, offset, strict=True):
            middle[number] = at - shift
    for sweep in range(SWEEPS):
        backwards = sweep % 2 == 1
        order = range(len(columns) - 1, -1, -1) if backwards else range(len(columns))
        for at in order:
            _settle(grid, columns[at], offsets[at], middle, grid.down if backwards else grid.up)
    top = min((middle[n] - grid.height[n] / 2 for n in range(grid.boxes)), default=0.0)
    return [at - top for at in middle]


def _offsets(grid: _Grid, column: list[int]) -> list[float]:
    """How far each of *column* stays below the first one at least."""
    offset = [0.0]
    for above, below in pairwise(column):
        gap = GAP_Y if max(above, below) < grid.boxes else GAP_Y / 3
        offset.append(offset[-1] + (grid.height[above] + grid.height[below]) / 2 + gap)
    return offset[: len(column)]


def _settle(grid: _Grid, column: list[int], offsets: list[float], middle: list[float], near: list[list[int]]) -> None:
    """Move *column* to the mean of its neighbours, order and gaps kept: pool adjacent violators."""
    pools: list[tuple[float, float, int]] = []  # weight, weighted sum, members
    for number, offset in zip(column, offsets, strict=True):
        found = near[number]
        wanted = sum(middle[m] for m in found) / len(found) if found else middle[number]
        weight = 0.05 if not found else 1.0 if number < grid.boxes else 4.0
        pool = (weight, weight * (wanted - offset), 1)
        while pools and pools[-1][1] * pool[0] >= pool[1] * pools[-1][0]:
            last = pools.pop()
            pool = (last[0] + pool[0], last[1] + pool[1], last[2] + pool[2])
        pools.append(pool)
    at = 0
    for weight, total, members in pools:
        for number in column[at : at + members]:
            middle[number] = total / weight + offsets[at]
            at += 1


def _columns(columns: list[list[int]], widths: list[float]) -> tuple[list[float], list[float]]:
    """Left and right of each column."""
    lefts, rights, x = [], [], 0.0
    for column in columns:
        lefts.append(x)
        x += max((widths[number] for number in column if number < len(widths)), default=0.0)
        rights.append(x)
        x += GAP_X
    return lefts, rights


def _legs(
    path: list[int], grid: _Grid, middle: list[float], lefts: list[float], rights: list[float], widths: list[float]
) -> list[Leg]:
    first = path[0]
    start = lefts[grid.layer[first]] + widths[first]
    legs = [(start, middle[first], rights[grid.layer[first]], middle[first])]
    for a, b in pairwise(path):
        legs.append((rights[grid.layer[a]], middle[a], lefts[grid.layer[b]], middle[b]))
    return legs[legs[0][0] == legs[0][2] :]
