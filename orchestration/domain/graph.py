"""Walks over dependencies and parents. Nothing recurses: a chain of 10,000 is as fine as a fan of 10,000.

Edges are a mapping: task -> the tasks that it waits for. References to ids that are not in `ids` are ignored.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import chain

type Edges[K] = Mapping[K, Iterable[K]]

SHOWN_IN_CYCLE = 10


def reverse[K: Hashable](edges: Edges[K]) -> dict[K, list[K]]:
    """Task -> the tasks that wait for it."""
    back: dict[K, list[K]] = {}
    for task, dependencies in edges.items():
        for dependency in dependencies:
            back.setdefault(dependency, []).append(task)
    return back


def layers[K: Hashable](ids: Iterable[K], edges: Edges[K]) -> list[list[K]]:
    """The waves in which tasks can start if all take equally long. Tasks on or behind a cycle are left out."""
    order = list(dict.fromkeys(ids))
    known = set(order)
    waiting: dict[K, int] = {}
    dependents: dict[K, list[K]] = {}
    for task in order:
        dependencies = known.intersection(edges.get(task, ()))
        if dependencies:
            waiting[task] = len(dependencies)
            for dependency in dependencies:
                dependents.setdefault(dependency, []).append(task)
    place = {task: index for index, task in enumerate(order)}
    waves = []
    wave = [task for task in order if task not in waiting]
    while wave:
        waves.append(wave)
        following = []
        for dependent in chain.from_iterable(dependents.get(task, ()) for task in wave):
            waiting[dependent] -= 1
            if not waiting[dependent]:
                following.append(dependent)
        wave = sorted(following, key=place.__getitem__)
    return waves


def topological_order[K: Hashable](ids: Iterable[K], edges: Edges[K]) -> list[K]:
    """All tasks, each after those it waits for, else in the given order. Tasks behind a cycle are left out."""
    return list(chain.from_iterable(layers(ids, edges)))


def find_cycle[K: Hashable](ids: Iterable[K], edges: Edges[K]) -> list[K] | None:
    """One cycle as [a, b, c]: a waits for b, b for c, c for a; None if there is none."""
    order = list(dict.fromkeys(ids))
    stuck = _stuck(order, edges)
    if not stuck:
        return None
    walked: dict[K, int] = {}
    task = next(t for t in order if t in stuck)
    while task not in walked:
        walked[task] = len(walked)
        task = next(d for d in edges[task] if d in stuck)  # what is stuck waits for something stuck
    return list(walked)[walked[task] :]


def _stuck[K: Hashable](order: Sequence[K], edges: Edges[K]) -> set[K]:
    """The tasks on or behind a cycle. `layers` leaves out the same, but brings the others into order for it."""
    known = set(order)
    waiting: dict[K, int] = {}
    dependents: dict[K, list[K]] = {}
    for task in order:
        dependencies = known.intersection(edges.get(task, ()))
        waiting[task] = len(dependencies)
        for dependency in dependencies:
            dependents.setdefault(dependency, []).append(task)
    free = [task for task in order if not waiting[task]]
    for task in free:  # grows while it is walked
        known.discard(task)
        for dependent in dependents.get(task, ()):
            waiting[dependent] -= 1
            if not waiting[dependent]:
                free.append(dependent)
    return known


def closure[K: Hashable](start: Iterable[K], edges: Edges[K]) -> set[K]:
    """*start* and everything reachable from it: upstream along *edges*, downstream along `reverse(edges)`."""
    found = set(start)
    todo = list(found)
    while todo:
        for following in edges.get(todo.pop(), ()):
            if following not in found:
                found.add(following)
                todo.append(following)
    return found


def pre_order[K: Hashable](parents: Mapping[K, K | None]) -> list[tuple[K, int]]:
    """(task, depth) of every task under a root: parents before children, siblings in the given order.

    A task whose chain of parents does not end at a root (a cycle, or an id that is not in *parents*) is left out.
    """
    children: dict[K | None, list[K]] = {}
    for task, parent in parents.items():
        children.setdefault(parent, []).append(task)
    found = []
    todo = [(root, 0) for root in reversed(children.get(None, []))]
    while todo:
        task, depth = todo.pop()
        found.append((task, depth))
        todo.extend((child, depth + 1) for child in reversed(children.get(task, [])))
    return found


def cycle_text(names: list[str], verb: str = "waits for") -> str:
    """ "a waits for b waits for a"; of a long cycle the first tasks and how many there are."""
    if len(names) <= SHOWN_IN_CYCLE:
        return f" {verb} ".join([*names, names[0]])
    shown = f" {verb} ".join(names[:SHOWN_IN_CYCLE])
    return f"{shown} {verb} ... {verb} {names[0]} ({len(names)} tasks)"
