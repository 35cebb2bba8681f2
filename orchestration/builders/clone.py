"""The walk that copies, links, archives and mixed trees share: what is taken, where it goes, what each task becomes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User

from orchestration.domain.errors import Conflict, Forbidden
from orchestration.domain.graph import closure, pre_order, reverse
from orchestration.domain.json_gate import safe_text
from orchestration.domain.states import Origin, Status
from orchestration.models import Task, Tree
from orchestration.selectors.access import require_create, task_for_read
from orchestration.selectors.lineage import SourceEdge, SourceTask, source_edges, source_tasks
from orchestration.services.locking import lock_families
from orchestration.services.transitions_snapshot import ClonedTask

NAMED = 10  # tasks that an error names

CHOSEN = "chosen"
BELOW = "under the chosen task"
DOWNSTREAM = "waits for what is taken"
UPSTREAM = "needed upstream"

type Why = dict[str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """The tree that something is made from, and the task that was chosen in it."""

    tree: Tree
    root: str
    tasks: dict[str, SourceTask]
    edges: list[SourceEdge]


@dataclass(frozen=True, slots=True)
class Clone:
    """What would be stored."""

    source: Source
    origin: Origin
    tasks: list[ClonedTask]
    edges: list[SourceEdge]
    dropped: list[SourceEdge]  # a task that is taken waits for one that is not
    why: Why


def read_source(*, user: User, task_id: UUID | str, lock: bool) -> Source:
    """The tree of the task. Raises NotFound, Forbidden (no role). Effects: *lock*: no run, edit or delete of it until
    the transaction ends."""
    task: Task = task_for_read(user, task_id)
    require_create(user)
    if lock:
        lock_families([task.tree_id], copies=False)
        task = task_for_read(user, task_id)  # as it is now
    return Source(task.tree, task.pk.hex, source_tasks(task.tree_id), source_edges(task.tree_id))


def choose(
    source: Source,
    *,
    recursive: bool,
    include_upstream: bool = False,
    include_dependents: bool = False,
    links: Collection[str] = (),
) -> Why:
    """Id of each task that is taken -> why: the chosen task and what is under it first, then the others, each once.

    What *links* wait for is not needed: they have their result.
    """
    if not recursive:
        return {source.root: CHOSEN}
    children: dict[str, list[str]] = {}
    depends_on: dict[str, list[str]] = {}
    for task in source.tasks.values():
        children.setdefault(task.parent_id or "", []).append(task.id)
    for edge in source.edges:
        depends_on.setdefault(edge.task_id, []).append(edge.depends_on)
    below = closure([source.root], children)
    why = {task_id: BELOW for task_id in source.tasks if task_id in below} | {source.root: CHOSEN}
    others: Why = {}
    if include_dependents:
        others |= dict.fromkeys(closure(below, reverse(depends_on)) - below, DOWNSTREAM)
    if include_upstream:
        walked = {task_id: needed for task_id, needed in depends_on.items() if task_id not in links}
        known = below.union(others)
        others |= dict.fromkeys(closure(known, walked) - known, UPSTREAM)
    return why | {task_id: others[task_id] for task_id in source.tasks if task_id in others}


def clone(
    source: Source,
    origin: Origin,
    why: Why,
    *,
    role: Callable[[str], Origin],
    changes: Mapping[str, Mapping[str, Any]] | None = None,
) -> Clone:
    """The plan of a new tree of the tasks in *why*: the chosen one is its root; what was not under it is put there."""
    new_ids = {task_id: uuid4().hex for task_id in why}
    parents = {task_id: _parent(source, task_id, why) for task_id in why}
    tasks = []
    for task_id, depth in pre_order(parents):
        old, becomes, parent = source.tasks[task_id], role(task_id), parents[task_id]
        tasks.append(
            ClonedTask(
                source_id=task_id,
                id=new_ids[task_id],
                parent_id=None if parent is None else new_ids[parent],
                depth=depth,
                role=becomes,
                original_id=_original(old, becomes),
                linked_attempt=_linked_attempt(old) if becomes == Origin.LINK else None,
                changes=(changes or {}).get(task_id, {}),
            )
        )
    held = [edge for edge in source.edges if edge.task_id in why]
    edges = [edge for edge in held if edge.depends_on in why]
    dropped = [edge for edge in held if edge.depends_on not in why]
    return Clone(source, origin, tasks, edges, dropped, why)


def _parent(source: Source, task_id: str, why: Why) -> str | None:
    if task_id == source.root:
        return None
    parent = source.tasks[task_id].parent_id
    return parent if parent in why else source.root


def _original(task: SourceTask, role: Origin) -> str:
    """A link of a link names the task that the result comes from; anything else the task that it was made from."""
    is_link = role == Origin.LINK and task.linked_attempt is not None
    return task.original_id if is_link and task.original_id else task.id


def _linked_attempt(task: SourceTask) -> int | None:
    return task.newest_attempt if task.linked_attempt is None else task.linked_attempt


def require_own(source: Source, user: User) -> None:
    """Raises Forbidden unless the tree is *user*'s: a link never crosses owners."""
    if source.tree.owner_id != user.pk:
        name = safe_text(source.tree.name, 64)
        raise Forbidden(f"'{name}' belongs to another user: only your own tasks can be linked; you can copy it")


def require_completed(source: Source, task_ids: Collection[str], problem: str) -> None:
    """Raises Conflict with *problem* and the names of those that have no completed attempt."""
    require_all(source, task_ids, _is_completed, problem)


def require_all(source: Source, task_ids: Collection[str], test: Callable[[SourceTask], bool], problem: str) -> None:
    """Raises Conflict with *problem* and the names of those that fail *test*."""
    unfit = [task for task_id in task_ids if not test(task := source.tasks[task_id])]
    if unfit:
        names = ", ".join(f"'{safe_text(task.name, 64)}'" for task in unfit[:NAMED])
        more = f" and {len(unfit) - NAMED} more" if len(unfit) > NAMED else ""
        raise Conflict(f"{problem}; unfinished: {names}{more}", code="unfinished")


def _is_completed(task: SourceTask) -> bool:
    return task.status == Status.COMPLETED and _linked_attempt(task) is not None
