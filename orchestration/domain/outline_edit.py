"""Edits of a draft: an array of tasks in pre-order, each with an id, its parent's id and its dependencies' ids.

An edit gives a new array and leaves the old one as it was. It raises OrchestrationError when it makes no sense.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from orchestration.domain.errors import NotFound, OrchestrationError

type Item = dict[str, Any]
type Array = list[Item]
type Step = Literal["up", "down", "indent", "outdent"]


@dataclass(slots=True)
class Outline:
    """An array as a tree that can be changed."""

    items: dict[str, Item] = field(default_factory=dict)
    children: dict[str | None, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, array: Array) -> Outline:
        """Shares the items of *array*: replace them, don't change them."""
        found = cls()
        for item in array:
            found.items[item["id"]] = item
            found.children.setdefault(item.get("parent_id"), []).append(item["id"])
        return found

    def array(self) -> Array:
        """The tasks in pre-order."""
        found: Array = []
        todo = list(reversed(self.children.get(None, [])))
        while todo:
            task = todo.pop()
            found.append(self.items[task])
            todo.extend(reversed(self.children.get(task, [])))
        return found

    def get(self, task: str) -> Item:
        if task not in self.items:
            raise NotFound("this task is not in the draft any more: choose another one")
        return self.items[task]

    def parent(self, task: str) -> str | None:
        parent: str | None = self.get(task).get("parent_id")
        return parent

    def put(self, task: str, parent: str, place: int | None = None) -> None:
        """Hang *task*, which hangs nowhere, under *parent*."""
        siblings = self.children.setdefault(parent, [])
        siblings.insert(len(siblings) if place is None else place, task)
        self.items[task] = self.items[task] | {"parent_id": parent}

    def take(self, task: str) -> None:
        self.children[self.parent(task)].remove(task)

    def subtree(self, task: str) -> list[str]:
        """*task* and everything under it."""
        found = [task]
        for one in found:
            found.extend(self.children.get(one, []))
        return found


def add(array: Array, item: Item, *, near: str | None = None, inside: bool = False) -> Array:
    """With *item* right after the task *near*, or as its last child (*inside*, or when it is the root)."""
    outline = Outline.of(array)
    root = array[0]["id"]
    anchor = near if near in outline.items else root
    outline.items[item["id"]] = item
    if inside or anchor == root:
        outline.put(item["id"], anchor)
    else:
        parent = outline.parent(anchor) or root
        outline.put(item["id"], parent, outline.children[parent].index(anchor) + 1)
    return outline.array()


def remove(array: Array, task: str) -> Array:
    """Without *task*, what is under it, and the dependencies on any of these."""
    outline = Outline.of(array)
    if outline.parent(task) is None:
        raise OrchestrationError("the first task is the root of the tree and stays: rename it, or discard the draft")
    gone = set(outline.subtree(task))
    return [_without(item, gone) for item in array if item["id"] not in gone]


def _without(item: Item, gone: set[str]) -> Item:
    edges = item.get("dependencies", [])
    left = [edge for edge in edges if edge["id"] not in gone]
    return item if len(left) == len(edges) else _with_edges(item, left)


def _with_edges(item: Item, edges: list[Item]) -> Item:
    rest = {key: value for key, value in item.items() if key != "dependencies"}
    return rest | {"dependencies": edges} if edges else rest


def step(array: Array, task: str, how: Step) -> Array:
    """*task*, with what is under it, one place up or down among its siblings, or one level in or out."""
    outline = Outline.of(array)
    parent = outline.parent(task)
    if parent is None:
        raise OrchestrationError("the root stays where it is: move the tasks under it")
    siblings = outline.children[parent]
    place = siblings.index(task)
    if how == "indent":
        if not place:
            raise OrchestrationError("there is no task above it on the same level that it could go into")
        return _moved(outline, task, siblings[place - 1], None)
    if how == "outdent":
        above = outline.parent(parent)
        if above is None:
            raise OrchestrationError("it is on the outermost level already")
        return _moved(outline, task, above, outline.children[above].index(parent) + 1)
    target = place + (-1 if how == "up" else 1)
    if not 0 <= target < len(siblings):
        raise OrchestrationError(f"it is the {'first' if how == 'up' else 'last'} of its level already")
    return _moved(outline, task, parent, target)


def move(array: Array, task: str, target: str, where: Literal["before", "after", "inside"]) -> Array:
    """*task* next to *target*, or as its last child."""
    outline = Outline.of(array)
    outline.get(target)
    if outline.parent(task) is None or target in outline.subtree(task):
        raise OrchestrationError("a task cannot be moved into itself")
    parent = outline.parent(target)
    if where == "inside" or parent is None:
        return _moved(outline, task, target, None)
    siblings = [one for one in outline.children[parent] if one != task]
    return _moved(outline, task, parent, siblings.index(target) + (where == "after"))


def _moved(outline: Outline, task: str, parent: str, place: int | None) -> Array:
    outline.take(task)
    outline.put(task, parent, place)
    return outline.array()


def update(array: Array, task: str, changes: Item) -> Array:
    """With *changes* to the fields of *task*; None takes a field away."""
    Outline.of(array).get(task)
    return [_changed(item, changes) if item["id"] == task else item for item in array]


def _changed(item: Item, changes: Item) -> Item:
    return {key: value for key, value in (item | changes).items() if value is not None}


def link(array: Array, task: str, edge: Item) -> Array:
    """*task* waits for the task edge["id"], as *edge* says; an edge that is there already is replaced."""
    outline = Outline.of(array)
    item, other = outline.get(task), outline.get(edge["id"])
    if item is other:
        raise OrchestrationError("a task cannot wait for itself: choose another one")
    edges = list(item.get("dependencies", []))
    places = [place for place, known in enumerate(edges) if known["id"] == edge["id"]]
    edges[places[0] if places else len(edges) : places[0] + 1 if places else len(edges)] = [edge]
    return [_with_edges(one, edges) if one is item else one for one in array]


def unlink(array: Array, task: str, depends_on: str) -> Array:
    """*task* does not wait for *depends_on* any more."""
    item = Outline.of(array).get(task)
    return [_without(one, {depends_on}) if one is item else one for one in array]
