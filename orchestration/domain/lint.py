"""What is wrong or doubtful in the definition of a tree, before it runs: each with a remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from orchestration.domain.explain.facts import quoted
from orchestration.domain.graph import closure, cycle_text, find_cycle, topological_order
from orchestration.domain.json_gate import safe_text
from orchestration.domain.task_fields import did_you_mean, name_problem
from orchestration.domain.words import gettext, gettext_noop, ngettext

MOST = 200  # findings
MAX_CYCLES = 10
MAX_WALKS = 2_000_000  # steps for optional dependencies; in huge trees not all are looked at
INVERSION = 2  # steps of priority between a task and what it waits for
PRIORITIES = {
    0: gettext_noop("urgent"),
    1: gettext_noop("high"),
    2: gettext_noop("normal"),
    3: gettext_noop("low"),
}


class Severity(StrEnum):
    """An error keeps the tree from being saved; a warning is likely a mistake; a hint is worth a look."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.HINT: 2}


@dataclass(frozen=True, slots=True)
class LintEdge:
    """The task waits for `id`."""

    id: str
    required: bool = True
    map: Mapping[str, str] | None = None
    as_key: str | None = None


@dataclass(frozen=True, slots=True)
class LintTask:
    """A task as it is defined."""

    id: str
    name: str
    parent: str | None = None
    executor: str = ""
    priority: int = 2
    inputs: frozenset[str] = frozenset()  # declared keys
    required: frozenset[str] = frozenset()  # keys that the task's own input schema requires
    has_params: bool = False
    edges: tuple[LintEdge, ...] = ()

    @property
    def is_group(self) -> bool:
        return not self.executor and not self.inputs and not self.has_params


@dataclass(frozen=True, slots=True)
class Known:
    """What the registry says of an executor."""

    required: frozenset[str] = frozenset()
    merges: bool = False  # results of dependencies flow into its inputs
    gives: frozenset[str] | None = None  # keys of its result; None = not known


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    code: str
    task: str  # id
    message: str
    remedy: str
    tasks: tuple[str, ...] = ()  # all tasks concerned, in order: the cycle
    edge: str = ""  # id of the dependency concerned


@dataclass(slots=True)
class _Lint:
    tasks: dict[str, LintTask]
    executors: Mapping[str, Known]
    edges: dict[str, list[str]] = field(default_factory=dict)
    required: dict[str, list[str]] = field(default_factory=dict)
    parents: frozenset[str] = frozenset()

    def name(self, task: str) -> str:
        return quoted(self.tasks[task].name)


def lint(tasks: Sequence[LintTask], executors: Mapping[str, Known]) -> list[Finding]:
    """All findings, errors first, else in the order of *tasks*; at most 200."""
    known = {task.id: task for task in tasks}
    state = _Lint(known, executors, parents=frozenset(t.parent for t in tasks if t.parent is not None))
    for task in tasks:
        inside = [edge for edge in task.edges if edge.id in known]
        state.edges[task.id] = [edge.id for edge in inside]
        state.required[task.id] = [edge.id for edge in inside if edge.required]
    found: list[Finding] = []
    for check in (_cycles, _names, _executors, _inversions, _optional, _groups, _inputs):
        found.extend(check(state))
    place = {task.id: index for index, task in enumerate(tasks)}
    return sorted(found, key=lambda one: (RANK[one.severity], place.get(one.task, 0)))[:MOST]


def _cycles(state: _Lint) -> Iterator[Finding]:
    left = dict(state.edges)
    for _ in range(MAX_CYCLES):
        cycle = find_cycle(left, left)
        if not cycle:
            return
        text = cycle_text([safe_text(state.tasks[task].name, 64) for task in cycle], gettext("waits for"))
        message = gettext("dependencies form a cycle: %(cycle)s") % {"cycle": text}
        remedy = gettext("remove one of these dependencies")
        yield Finding(Severity.ERROR, "cycle", cycle[0], message, remedy, tuple(cycle))
        gone = set(cycle)
        left = {task: [one for one in found if one not in gone] for task, found in left.items() if task not in gone}


def _names(state: _Lint) -> Iterator[Finding]:
    counts = Counter(task.name for task in state.tasks.values())
    seen: set[str] = set()
    for task in state.tasks.values():
        problem = name_problem(task.name, "name")
        if problem:
            yield Finding(Severity.ERROR, "name", task.id, problem.message, gettext("give the task a name of one line"))
        elif counts[task.name] > 1 and task.name not in seen:
            seen.add(task.name)
            same = tuple(other.id for other in state.tasks.values() if other.name == task.name)
            text = ngettext("%(n)s tasks are named %(name)s", "%(n)s tasks are named %(name)s", len(same))
            message = text % {"n": len(same), "name": quoted(task.name)}
            yield Finding(Severity.WARNING, "duplicate_name", task.id, message, gettext("give each its own name"), same)


def _executors(state: _Lint) -> Iterator[Finding]:
    for task in state.tasks.values():
        if task.executor and task.executor not in state.executors:
            remedy = did_you_mean(task.executor, state.executors).removeprefix("; ") or gettext("choose another one")
            message = gettext("there is no executor '%(name)s'") % {"name": safe_text(task.executor, 100)}
            yield Finding(Severity.ERROR, "unknown_executor", task.id, message, remedy)
        elif not task.executor and not task.is_group:
            message = gettext("it has inputs but no executor: a run that reaches it is refused")
            yield Finding(Severity.WARNING, "draft", task.id, message, gettext("choose an executor"))
        elif task.is_group and task.id not in state.parents and not task.edges:
            message = gettext("it does nothing: no executor, no dependency, nothing in it")
            remedy = gettext("choose an executor, or move tasks into it")
            yield Finding(Severity.HINT, "idle", task.id, message, remedy)


def _inversions(state: _Lint) -> Iterator[Finding]:
    """Of all that a task waits for, directly or not, the least urgent decides when it can start."""
    worst: dict[str, tuple[int, str]] = {}  # task -> least urgent upstream, and which
    for task in topological_order(state.tasks, state.edges):
        own = state.tasks[task]
        above = [
            max((state.tasks[one].priority if not state.tasks[one].is_group else -1, one), worst.get(one, (-1, "")))
            for one in state.edges[task]
        ]
        worst[task] = max(above, default=(-1, ""))
        if own.is_group:
            continue
        priority, other = worst[task]
        if priority - own.priority >= INVERSION:
            message, remedy = _inverted(
                PRIORITIES[own.priority], PRIORITIES[priority], state.name(other), direct=other in state.edges[task]
            )
            yield Finding(Severity.WARNING, "priority_inversion", task, message, remedy, (task, other), other)


def _inverted(own: str, priority: str, other: str, *, direct: bool) -> tuple[str, str]:
    """(message, remedy)"""
    if direct:
        text = gettext("%(own)s waits for %(priority)s: it cannot start before %(other)s, which others overtake")
    else:
        text = gettext(
            "%(own)s waits for %(priority)s: it cannot start before %(other)s (through others), which others overtake"
        )
    values = {"own": gettext(own), "priority": gettext(priority), "other": other}
    return text % values, gettext("make %(other)s %(own)s as well, or remove the dependency") % values


def _optional(state: _Lint) -> Iterator[Finding]:
    optional = [
        (task.id, edge.id)
        for task in state.tasks.values()
        for edge in task.edges
        if not edge.required and edge.id in state.tasks and state.required[task.id]
    ]
    for task, other in optional[: MAX_WALKS // max(1, len(state.tasks))]:
        above = next((one for one in state.required[task] if other in closure([one], state.required)), None)
        if above is not None:
            text = gettext("that %(other)s is optional cannot matter: it needs %(above)s, which needs that one")
            message = text % {"other": state.name(other), "above": state.name(above)}
            remedy = gettext("make it required, or remove the dependency")
            yield Finding(Severity.WARNING, "useless_optional", task, message, remedy, edge=other)


def _groups(state: _Lint) -> Iterator[Finding]:
    for task in state.tasks.values():
        for edge in task.edges:
            other = state.tasks.get(edge.id)
            if other is None or not other.is_group:
                continue
            if edge.map is not None or edge.as_key is not None:
                text = gettext("%(name)s is a group and has no result that could be passed on")
                remedy = gettext("wait for the task that has the result")
            elif other.edges:
                continue
            elif edge.id in state.parents:
                text = gettext(
                    "waiting for the group %(name)s means nothing: it ends at once, whatever becomes of the tasks in it"
                )
                remedy = gettext("wait for the tasks in it")
            else:
                text = gettext("waiting for the group %(name)s means nothing: it has no work")
                remedy = gettext("remove the dependency")
            message = text % {"name": state.name(edge.id)}
            yield Finding(Severity.WARNING, "group_dependency", task.id, message, remedy, edge=edge.id)


def _inputs(state: _Lint) -> Iterator[Finding]:
    for task in state.tasks.values():
        executor = state.executors.get(task.executor)
        if executor is None:
            continue
        missing = sorted((executor.required | task.required) - task.inputs - _arriving(task))
        missing = [key for key in missing if not _may_flow(state, task, executor, key)]
        if missing:
            keys = ", ".join(f"'{safe_text(key, 64)}'" for key in missing[:5])
            message = ngettext(
                "input %(keys)s missing: the task would fail before it starts",
                "inputs %(keys)s missing: the task would fail before it starts",
                len(missing),
            ) % {"keys": keys}
            remedy = gettext("fill in the form, or map a result to it")
            yield Finding(Severity.WARNING, "missing_input", task.id, message, remedy)


def _arriving(task: LintTask) -> set[str]:
    """Keys that the edges set."""
    mapped = {key for edge in task.edges for key in edge.map or ()}
    return mapped | {edge.as_key for edge in task.edges if edge.map is None and edge.as_key is not None}


def _may_flow(state: _Lint, task: LintTask, executor: Known, key: str) -> bool:
    """Whether a result that merges into the inputs may bring *key*."""
    if not executor.merges:
        return False
    for edge in task.edges:
        other = state.tasks.get(edge.id)
        if other is None or edge.map is not None or edge.as_key is not None or not other.executor:
            continue
        gives = state.executors[other.executor].gives if other.executor in state.executors else None
        if gives is None or key in gives:
            return True
    return False
