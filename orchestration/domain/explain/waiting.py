"""Why a task waits or will never run: the chain of tasks from it to the cause, and what would release it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from orchestration.domain.explain.facts import (
    EdgeFact,
    EdgesOf,
    Fate,
    TaskFact,
    Tasks,
    blocks,
    edges_by_task,
    fate,
    quoted,
)
from orchestration.domain.explain.queueing import Queue, Slots, queue_of
from orchestration.domain.explain.remedies import Remedy, remedies_for_block, remedies_for_root
from orchestration.domain.explain.sentences import Relation, does, waits, which
from orchestration.domain.graph import topological_order
from orchestration.domain.states import Status
from orchestration.domain.words import gettext, ngettext

SHOWN = 20  # links of a chain, and of what stands beside it


@dataclass(frozen=True, slots=True)
class Link:
    """One task of the chain: what it does, and how it depends on the next one."""

    task: str
    name: str
    relation: Relation
    required: bool | None  # of the dependency on the next task; None where the chain ends
    status: str
    text: str
    since: datetime | None = None
    until: datetime | None = None  # end of a back-off
    next: str | None = None  # id of the task that it waits for


@dataclass(frozen=True, slots=True)
class Why:
    """The answer for one task. `chain` leads from it to the decisive cause."""

    headline: str
    chain: tuple[Link, ...]
    hidden: int  # links left out in the middle of a long chain
    siblings: tuple[Link, ...]  # other tasks that hold it back too, causes first
    siblings_total: int
    causes: tuple[Link, ...]  # every end of a chain, the decisive one first
    causes_total: int
    queue: Queue | None  # if the decisive cause is ready: who holds the slots, and how many are ahead
    remedies: tuple[Remedy, ...]

    @property
    def never(self) -> bool:
        """True when the task will not run in this run."""
        return self.chain[0].relation == Relation.BLOCKED_BY


def why_waiting(task_id: str, tasks: Tasks, edges: Iterable[EdgeFact], slots: Slots) -> Why:
    """Why *task_id* does not run (or that it does). *edges* in listed order. Linear in what lies upstream."""
    upstream = _Upstream(task_id, tasks, edges_by_task(edges, tasks))
    path = upstream.path()
    on_path = set(path)
    ends = [t for t in upstream.found if not upstream.followed[t]]
    root = path[-1]
    causes = [root, *(t for t in ends if t != root)]
    beside = [t for t in ends if t not in on_path]
    beside += [t for t in upstream.found if t not in on_path and upstream.followed[t]]
    shown = path if len(path) <= SHOWN else path[: SHOWN // 2] + path[-SHOWN // 2 :]
    cause = tasks[root]
    queue = queue_of(cause, slots) if _relation(cause, upstream.followed[root], tasks) == Relation.SLOT else None
    remedies = remedies_for_root(cause, queue, slots)
    first = upstream.link(task_id)
    if first.relation == Relation.BLOCKED_BY:
        remedies = remedies_for_block(path, [tasks[t] for t in causes], upstream.followed)
    return Why(
        headline=_headline(first, upstream.link(root), len(path), len(causes), queue),
        chain=tuple(map(upstream.link, shown)),
        hidden=len(path) - len(shown),
        siblings=tuple(map(upstream.link, beside[:SHOWN])),
        siblings_total=len(beside),
        causes=tuple(map(upstream.link, causes[:SHOWN])),
        causes_total=len(causes),
        queue=queue,
        remedies=remedies,
    )


class _Upstream:
    """Everything that holds a task back, directly or through others."""

    def __init__(self, start: str, tasks: Tasks, edges: EdgesOf) -> None:
        self.start = start
        self.tasks = tasks
        self.followed: dict[str, list[EdgeFact]] = {start: _holding(tasks[start], edges.get(start, []), tasks)}
        self.found = [start]  # nearest first
        todo = deque(self.found)
        while todo:
            for edge in self.followed[todo.popleft()]:
                if edge.depends_on not in self.followed:
                    dependency = tasks[edge.depends_on]
                    self.followed[dependency.id] = _holding(dependency, edges.get(dependency.id, []), tasks)
                    self.found.append(dependency.id)
                    todo.append(dependency.id)
        self._next: dict[str, EdgeFact] = {}

    def path(self) -> list[str]:
        """The decisive chain: of what blocks, the one that came first; of what is awaited, the longest way to go."""
        awaited = {t: [e.depends_on for e in held] for t, held in self.followed.items()}
        depth: dict[str, int] = {}
        for task_id in topological_order(self.found, awaited):
            depth[task_id] = 1 + max((depth[d] for d in awaited[task_id]), default=0)
        for task_id, held in self.followed.items():
            if held:
                by = self.tasks[task_id].blocked_by
                blocker = next((e for e in held if e.depends_on == by), None)
                self._next[task_id] = blocker or max(held, key=lambda e: depth.get(e.depends_on, 0))
        walked = {self.start: None}
        here = self.start
        while here in self._next and self._next[here].depends_on not in walked:
            here = self._next[here].depends_on
            walked[here] = None
        return list(walked)

    def link(self, task_id: str) -> Link:
        """*task_id* as a link of a chain (after `path`)."""
        task, edge = self.tasks[task_id], self._next.get(task_id)
        relation = _relation(task, self.followed[task_id], self.tasks)
        return Link(
            task=task_id,
            name=task.name,
            relation=relation,
            required=edge.required if edge else None,
            status=str(task.status),
            text=_text(task, relation, edge, self.tasks),
            since=_since(task, relation),
            until=task.retry_at if relation == Relation.BACK_OFF else None,
            next=edge.depends_on if edge else None,
        )


def _holding(task: TaskFact, edges: list[EdgeFact], tasks: Tasks) -> list[EdgeFact]:
    """The dependencies because of which *task* does not start."""
    end = fate(task)
    if task.status != Status.PENDING or end not in (Fate.OPEN, Fate.BLOCKED):
        return []
    blocking = [edge for edge in edges if blocks(edge, tasks)]
    if blocking or end == Fate.BLOCKED:
        return blocking
    if task.ready_at is not None or task.retry_at is not None:
        return []
    return [edge for edge in edges if fate(tasks[edge.depends_on]) == Fate.OPEN]


def _relation(task: TaskFact, held: list[EdgeFact], tasks: Tasks) -> Relation:
    end = fate(task)
    if end in (Fate.COMPLETED, Fate.FAILED, Fate.CANCELLED):
        return Relation(str(end))
    if end == Fate.IDLE:
        return Relation.NOT_IN_RUN
    if task.status == Status.IN_PROGRESS:
        return Relation.STOPPING if task.stop_requested_at else Relation.RUNNING
    if end == Fate.BLOCKED or any(blocks(edge, tasks) for edge in held):
        return Relation.BLOCKED_BY
    if held:
        return Relation.WAITS_FOR
    if task.retry_at is not None:
        return Relation.BACK_OFF
    return Relation.SLOT if task.ready_at is not None else Relation.ENGINE


def _text(task: TaskFact, relation: Relation, edge: EdgeFact | None, tasks: Tasks) -> str:
    name = quoted(task.name)
    if edge is None:
        return does(relation, name)
    return waits(relation, name, quoted(tasks[edge.depends_on].name), required=edge.required)


def _since(task: TaskFact, relation: Relation) -> datetime | None:
    if relation == Relation.SLOT:
        return task.ready_at
    if relation == Relation.STOPPING:
        return task.stop_requested_at
    return task.started_at if relation == Relation.RUNNING else task.completed_at


def _headline(first: Link, root: Link, length: int, causes: int, queue: Queue | None) -> str:
    if first.relation == Relation.BLOCKED_BY:
        more = ngettext(" (and %(n)s more cause)", " (and %(n)s more causes)", causes - 1) if causes > 1 else ""
        return gettext("Will not run in this run: %(cause)s%(more)s.") % {
            "cause": root.text,
            "more": more % {"n": causes - 1},
        }
    sentence = root.text if length == 1 else _waits_for(root, length - 1)
    return (
        gettext("%(sentence)s: %(queue)s.") % {"sentence": sentence, "queue": queue.text} if queue else f"{sentence}."
    )


def _waits_for(root: Link, steps: int) -> str:
    text = gettext("Waits for %(name)s, %(which)s")
    if steps > 1:
        text = ngettext(
            "Waits in the end (%(n)s step away) for %(name)s, %(which)s",
            "Waits in the end (%(n)s steps away) for %(name)s, %(which)s",
            steps,
        )
    return text % {"n": steps, "name": quoted(root.name), "which": which(root.relation)}
