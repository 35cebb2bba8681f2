"""Drafts from arrays and trees, and trees from drafts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import transaction

from orchestration.builders.array import spec_from_array
from orchestration.builders.array_fields import Reader
from orchestration.builders.array_links import Links
from orchestration.builders.array_problems import Problems, refuse
from orchestration.builders.array_text import load_text
from orchestration.builders.export import DEFAULTS, array_from_tree
from orchestration.conf import conf
from orchestration.domain.outline_edit import Array, Item
from orchestration.domain.spec import TreeSpec
from orchestration.domain.task_fields import Limits, got
from orchestration.executors.registry import find
from orchestration.models import Task, Tree, TreeDraft
from orchestration.services.drafts import draft_array, draft_for
from orchestration.services.structure import tree_redefine
from orchestration.services.trees import tree_create


def draft_from_tree(tree: Tree) -> Array:
    """The tasks of *tree* with their ids, as a draft holds them."""
    return [_explicit(item) for item in array_from_tree(tree, ids=True)]


def draft_from_text(text: str, old: Sequence[Item] = ()) -> Array:
    """The draft that JSON or YAML describes. Raises Invalid; a cycle of dependencies is let in, to be seen and mended.

    A task of *old* keeps its id: that of the same id, else the one of that name when no other has it.
    """
    data = load_text(text, "auto")
    items = data.get("tasks") if isinstance(data, dict) and "tasks" in data else data
    if isinstance(items, dict):
        items = [items]
    if not isinstance(items, list) or not items:
        refuse("", f'expected a list of tasks such as [{{"name": "start"}}], got {got(data)}', "invalid_type")
    limits, problems = conf(), Problems()
    if len(items) > limits.max_tasks:
        refuse("", f"{len(items)} tasks, but {limits.max_tasks} are allowed in one tree: split it", "too_many")
    reader = Reader(Limits(limits.max_inputs_bytes, limits.max_depth), problems)
    rows = [reader.read(item, f"[{index}]") for index, item in enumerate(items)]
    ids = _ids([(row.key, row.name) for row in rows], old)
    links = Links(rows, ids, problems)
    links.index()
    walk = links.resolve_parents(limits)
    links.resolve_dependencies(limits)
    problems[:] = [p for p in problems if not (p.code == "cycle" and p.path.endswith(".dependencies"))]
    problems.check()
    return [_item(links, index) for index, _ in walk]


def _ids(rows: list[tuple[str | None, str]], old: Sequence[Item]) -> list[str]:
    known = {item["id"] for item in old}
    names = Counter(item["name"] for item in old)
    by_name = {item["name"]: item["id"] for item in old if names[item["name"]] == 1}
    taken: set[str] = set()
    found = []
    for key, name in rows:
        wanted = key if key in known else by_name.get(name)
        found.append(str(uuid4()) if wanted is None or wanted in taken else wanted)
        taken.add(found[-1])
    return found


def _item(links: Links, index: int) -> Item:
    row, parent = links.rows[index], links.parents[index]
    item: Item = {"id": links.ids[index], "name": row.name, "executor": row.executor}
    if parent is not None:
        item["parent_id"] = links.ids[parent]
    item |= {key: row.fields[key] for key, default in DEFAULTS.items() if row.fields.get(key, default) != default}
    edges = [_edge(edge.id, edge.required, edge.map, edge.as_key) for edge in links.dependencies.get(index, [])]
    return item | {"dependencies": edges} if edges else item


def _edge(task: str, required: bool, mapping: dict[str, str] | None, as_key: str | None) -> Item:
    edge: Item = {"id": task}
    if not required:
        edge["required"] = False
    if mapping is not None:
        edge["map"] = mapping
    return edge if as_key is None else edge | {"as": as_key}


def _explicit(item: Item) -> Item:
    return item if "executor" in item else item | {"executor": ""}


def shown_array(array: Array, *, ids: bool) -> Array:
    """*array* for people: by names where all differ and no *ids* are asked for; without what is understood."""
    names = {item["id"]: item["name"] for item in array}
    ids = ids or len(set(names.values())) < len(names)
    return [_shown(item, names, ids) for item in array]


def _shown(item: Item, names: dict[str, str], ids: bool) -> Item:
    found: Item = {"id": item["id"]} if ids else {}
    found["name"] = item["name"]
    if item.get("parent_id"):
        found["parent_id"] = item["parent_id"] if ids else names[item["parent_id"]]
    if item.get("executor") or find(item["name"]) or item.get("params", {}).get("executor_id"):
        found["executor"] = item.get("executor", "")
    left = {"id", "name", "parent_id", "executor", "dependencies"}
    found |= {key: value for key, value in item.items() if key not in left}
    edges = item.get("dependencies", [])
    if edges and not ids:
        edges = [{"name": names[edge["id"]]} | {k: v for k, v in edge.items() if k != "id"} for edge in edges]
    return found | {"dependencies": edges} if edges else found


def spec_of_draft(array: Array, own: Collection[str] = ()) -> TreeSpec:
    """The tree that *array* describes. *own*: ids (32 hex digits) of the tree being edited. Raises Invalid."""
    return spec_from_array(array, keep_ids=True, own_ids=own)


def own_ids(tree: Tree | None) -> set[str]:
    """The ids of the tasks of *tree*, 32 hex digits each."""
    return set() if tree is None else {pk.hex for pk in Task.objects.filter(tree=tree).values_list("pk", flat=True)}


@transaction.atomic
def draft_save(*, user: User, draft_id: int, as_new: bool = False) -> Tree:
    """The new tree, or the tree that the draft changes; the draft is gone.

    *as_new*: leave the tree alone and make another one. Raises NotFound, Forbidden, Invalid, AlreadyRunning, Conflict.
    """
    draft = draft_for(user, draft_id, lock=True)
    array = draft_array(draft)
    if draft.tree is None or as_new:
        tree = tree_create(owner=user, spec=spec_of_draft(array))
    else:
        spec = spec_of_draft(array, own_ids(draft.tree))
        tree = tree_redefine(user=user, tree_id=draft.tree.pk, version=draft.base_version, spec=spec)
    TreeDraft.objects.filter(pk=draft.pk).delete()
    return tree


def fresh_item(name: str, **fields: Any) -> Item:
    """A new task for a draft."""
    return {"id": str(uuid4()), "name": name, "executor": "", **fields}


def hex_of(task_id: str) -> str:
    """The id of a draft's task as 32 hex digits."""
    return UUID(task_id).hex
