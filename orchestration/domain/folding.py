"""Which boxes a large graph is drawn with: finished branches, whole branches or siblings become one counted box."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestration.domain.graph import Edges, reverse
from orchestration.domain.layout import layers_of

TWINS = 9  # siblings with the same neighbours that are drawn as one block


@dataclass(frozen=True, slots=True)
class Item:
    """A task as the drawing knows it, in outline order."""

    id: str
    parent: str | None
    finished: bool
    drawn: bool = True  # False: a group that neither waits nor is waited for


@dataclass(frozen=True, slots=True)
class Link:
    """An arrow between two boxes; *count* dependencies in one."""

    source: str
    target: str
    required: bool
    count: int = 1


def fold(items: Sequence[Item], edges: Iterable[tuple[str, str]], limit: int) -> dict[str, str]:
    """Task -> its box, for at most *limit* boxes where that can be. A box of several tasks has the id of their parent,
    or that id, "w" and a number when only some of the children are in it; a box of one task has the task's id."""
    box = {item.id: item.id for item in items if item.drawn}
    if len(box) <= limit:
        return box
    parent = {item.id: item.parent for item in items}
    if _collapse(box, parent, _finished_branches(items)) <= limit:
        return box
    for level in _parents_by_depth(items):
        if _collapse(box, parent, level) <= limit:
            return box
    return _fold_siblings(box, parent, {i.id: i.finished for i in items}, list(edges), limit)


def _collapse(box: dict[str, str], parent: Mapping[str, str | None], branches: Collection[str]) -> int:
    """Everything under each of *branches* goes into its box. Returns how many boxes are left."""
    top: dict[str, str | None] = {}
    for task, above in parent.items():  # parents come first
        found = top.get(above) if above is not None else None
        top[task] = found or (task if task in branches else None)
    for task in box:
        box[task] = top[task] or box[task]
    return len(set(box.values()))


def _finished_branches(items: Sequence[Item]) -> set[str]:
    """The parents, but for the root, under which everything has ended well."""
    open_ends: set[str | None] = set()
    parents = {item.parent for item in items}
    for item in reversed(items):
        if not item.finished or item.id in open_ends:
            open_ends.update((item.id, item.parent))
    return {i.id for i in items if i.parent is not None and i.id in parents and i.id not in open_ends}


def _parents_by_depth(items: Sequence[Item]) -> list[set[str]]:
    """The parents, deepest level first, without the root."""
    parents = {item.parent for item in items}
    depth: dict[str, int] = {}
    levels: dict[int, set[str]] = {}
    for item in items:
        depth[item.id] = depth[item.parent] + 1 if item.parent in depth else 0
        if item.id in parents and depth[item.id]:
            levels.setdefault(depth[item.id], set()).add(item.id)
    return [levels[at] for at in sorted(levels, reverse=True)]


def _fold_siblings(
    box: dict[str, str],
    parent: Mapping[str, str | None],
    finished: Mapping[str, bool],
    edges: list[tuple[str, str]],
    limit: int,
) -> dict[str, str]:
    """Children of one parent become one box per wave; if those are too many, one that is done and one that is not."""
    boxes = list(dict.fromkeys(box.values()))
    index = {key: number for number, key in enumerate(boxes)}
    pairs = {(index[box[a]], index[box[b]]) for a, b in edges if a in box and b in box and box[a] != box[b]}
    waves = layers_of(len(boxes), sorted(pairs))
    by_wave = {key: (parent[key], waves[index[key]]) for key in boxes}
    if len(set(by_wave.values())) > limit:
        by_wave = {key: (parent[key], int(not finished[key])) for key in boxes}
    sizes = Counter(by_wave.values())
    for task, key in box.items():
        above, number = by_wave[key]
        if sizes[by_wave[key]] > 1:
            box[task] = f"{above or ''}w{number}"
    return box


def links(box: Mapping[str, str], edges: Iterable[tuple[str, str, bool]]) -> list[Link]:
    """The arrows between boxes: (waited for, waiting, required) of tasks, those that mean the same drawn as one."""
    counts: Counter[tuple[str, str, bool]] = Counter()
    for a, b, required in edges:
        if a in box and b in box and box[a] != box[b]:
            counts[box[a], box[b], required] += 1
    return [Link(*key, count) for key, count in counts.items()]


def twins(keys: Sequence[str], arrows: Sequence[Link], least: int = TWINS) -> dict[str, list[str]]:
    """First member -> all members of each set of at least *least* boxes that have the same arrows (or none)."""
    near: dict[str, set[tuple[str, bool, bool]]] = {key: set() for key in keys}
    for arrow in arrows:
        near[arrow.source].add((arrow.target, arrow.required, True))
        near[arrow.target].add((arrow.source, arrow.required, False))
    alike: dict[frozenset[tuple[str, bool, bool]], list[str]] = {}
    for key in keys:
        alike.setdefault(frozenset(near[key]), []).append(key)
    return {members[0]: members for members in alike.values() if len(members) >= least}


def neighbourhood(start: str, waits_for: Edges[str], hops: int, most: int) -> set[str]:
    """*start* and what is at most *hops* arrows away in either direction, nearest first, at most *most* tasks."""
    back = reverse(waits_for)
    found, edge = {start}, [start]
    for _ in range(hops):
        following = dict.fromkeys(n for task in edge for n in (*waits_for.get(task, ()), *back.get(task, ())))
        edge = [task for task in following if task not in found][: max(0, most - len(found))]
        found.update(edge)
    return found


def branch(start: str, parents: Iterable[tuple[str, str | None]]) -> set[str]:
    """*start* and everything under it; *parents* in outline order."""
    found = {start}
    for task, above in parents:
        if above in found:
            found.add(task)
    return found
