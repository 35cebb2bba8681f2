"""One tree out of what a session has: the given nodes and everything that these wait for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from orchestration.builders.array import spec_from_array
from orchestration.domain.errors import Conflict, Invalid, Problem
from orchestration.domain.spec import TreeSpec
from orchestration.manager.records import TaskRecord, TaskTreeNode
from orchestration.manager.session import Session, dashed


def spec_of(session: Session, root: TaskTreeNode) -> TreeSpec:
    """The tree to store. Raises Invalid, Conflict.

    The nodes decide who is under whom. Drafts of the session that these wait for, directly or not, come along; they
    lie under their own parent if that is in the tree, else under the root.
    """
    parents = _parents(root)
    members = {node.task.id: node.task for node in root.walk()}
    _forbid_strangers(session, members)
    for record in _upstream(session, members):
        members[record.id] = record
    items = [record.definition(_parent(record, parents, members, root.task.id)) for record in members.values()]
    spec = spec_from_array(items, keep_ids=True)
    _check_ids(spec, items)
    return spec


def _parents(root: TaskTreeNode) -> dict[str, str | None]:
    parents: dict[str, str | None] = {root.task.id: None}
    for node in root.walk():
        for child in node.children:
            if child.task.id in parents:
                message = f"'{child.task.name}' is in the tree twice: add it to one parent only"
                raise Invalid([Problem("children", message, "duplicate_id")])
            parents[child.task.id] = node.task.id
    return parents


def _forbid_strangers(session: Session, members: dict[str, TaskRecord]) -> None:
    for task_id, record in members.items():
        if task_id not in session.drafts:
            raise Conflict(
                f"'{record.name}' is stored already or was created in another session: a tree is made of tasks that "
                "were created in this session and not distributed yet; copy a stored one with from_copy"
            )


def _upstream(session: Session, members: dict[str, TaskRecord]) -> Iterator[TaskRecord]:
    by_name: dict[str, list[TaskRecord]] = {}
    for record in session.drafts.values():
        by_name.setdefault(record.name, []).append(record)
    here = {record.name for record in members.values()}
    seen, queue = set(members), deque(members.values())
    while queue:
        for text in _references(queue.popleft()):
            found = session.drafts.get(text)
            if found is None and text not in here and len(by_name.get(text, ())) == 1:
                found = by_name[text][0]
            if found is not None and found.id not in seen:
                seen.add(found.id)
                queue.append(found)
                yield found


def _references(record: TaskRecord) -> Iterator[str]:
    for entry in record.dependencies:
        text = entry if isinstance(entry, str) else entry.get("id") or entry.get("name")
        yield dashed(text)


def _parent(
    record: TaskRecord, parents: dict[str, str | None], members: dict[str, TaskRecord], root_id: str
) -> str | None:
    if record.id in parents:
        return parents[record.id]
    return record.parent_id if record.parent_id in members else root_id


def _check_ids(spec: TreeSpec, items: list[dict[str, Any]]) -> None:
    kept = {task.id for task in spec.tasks}
    taken = [item["id"] for item in items if item["id"].replace("-", "") not in kept]
    if taken:
        raise Invalid([Problem("id", f"'{taken[0]}' is the id of a stored task: choose another", "duplicate_id")])
