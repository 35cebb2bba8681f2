"""What a run would do: waves, critical path, expected duration with a given number of slots."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

from orchestration.domain.explain.facts import EdgeFact, TaskFact, Tasks
from orchestration.domain.graph import closure, layers
from orchestration.domain.states import Status

Group = tuple[bool, str]  # takes a process slot; executor, if it has a limit

HISTORY = 20  # completed attempts of a task that its expected duration is the median of
DEFAULT_S = 1.0  # where no duration at all is known


@dataclass(frozen=True, slots=True)
class SlotLimits:
    """How many tasks of each kind run at a time; at least one."""

    process: int = 1
    asynchronous: int = 1
    executors: Mapping[str, int] = field(default_factory=dict)  # most tasks of an executor at a time
    together: int = 0  # most tasks of the run at a time; 0 = no limit


@dataclass(frozen=True, slots=True)
class DryRun:
    """A forecast in which every task completes."""

    waves: list[list[str]]  # what could start together if all took equally long, best priority first
    order: list[str]  # ids as they would start
    times: dict[str, tuple[float, float]]  # id -> expected (start, end), seconds after the start of the run
    critical_path: list[str]
    critical_s: float  # expected time along it: no number of slots makes the run shorter
    total_s: float  # expected duration with the given slots
    peak: int  # most tasks at work at the same time
    unknown: int  # tasks without history, counted with `assumed_s` each
    assumed_s: float
    blocked: list[str]  # of the scope, but a required dependency outside it has no result


def dry_run(
    tasks: Tasks, edges: Iterable[EdgeFact], scope: Collection[str], durations: Mapping[str, float], slots: SlotLimits
) -> DryRun:
    """The forecast for a run of *scope*. *durations*: expected seconds of the tasks with a history.

    O((tasks + dependencies) log tasks). Groups take no time and no slot.
    """
    inside = set(scope).intersection(tasks)
    known_edges = [e for e in edges if e.task in inside and e.depends_on in tasks]
    blocked = _blocked(tasks, inside, known_edges)
    running = sorted(inside - blocked, key=lambda t: (tasks[t].priority, tasks[t].position))
    awaited: dict[str, list[str]] = {t: [] for t in running}
    for edge in known_edges:
        if edge.task in awaited and edge.depends_on in awaited:
            awaited[edge.task].append(edge.depends_on)
    works = [t for t in running if tasks[t].works]
    history = [durations[t] for t in works if t in durations]
    assumed = median(history) if history else DEFAULT_S
    seconds = {t: durations.get(t, assumed) if tasks[t].works else 0.0 for t in running}
    waves = layers(running, awaited)
    path = _longest(waves, awaited, seconds)
    times, peak = _Simulation(tasks, awaited, seconds, slots).run()
    return DryRun(
        waves=waves,
        order=list(times),
        times=times,
        critical_path=path,
        critical_s=sum(seconds[t] for t in path),
        total_s=max((end for _, end in times.values()), default=0.0),
        peak=peak,
        unknown=len(works) - len(history),
        assumed_s=assumed,
        blocked=sorted(blocked, key=lambda t: tasks[t].position),
    )


def expected_seconds(rows: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Task id -> median of its newest 20 durations; *rows*: (task id, seconds), newest first."""
    found: dict[str, list[float]] = {}
    for task_id, seconds in rows:
        known = found.setdefault(task_id, [])
        if len(known) < HISTORY:
            known.append(max(0.0, seconds))
    return {task_id: median(known) for task_id, known in found.items()}


def _blocked(tasks: Tasks, inside: set[str], edges: list[EdgeFact]) -> set[str]:
    """What a required dependency outside the scope keeps from running, and what follows from that."""
    dependents: dict[str, list[str]] = {}
    stuck = set()
    for edge in edges:
        if edge.required and edge.depends_on in inside:
            dependents.setdefault(edge.depends_on, []).append(edge.task)
        elif edge.required and tasks[edge.depends_on].status != Status.COMPLETED:
            stuck.add(edge.task)
    return closure(stuck, dependents)


def _longest(waves: list[list[str]], awaited: Mapping[str, list[str]], seconds: Mapping[str, float]) -> list[str]:
    end: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for wave in waves:
        for task_id in wave:
            before[task_id] = max(awaited[task_id], key=end.__getitem__, default=None)
            start = 0.0 if before[task_id] is None else end[before[task_id] or ""]
            end[task_id] = start + seconds[task_id]
    here = max(end, key=end.__getitem__, default=None)
    path = []
    while here is not None:
        path.append(here)
        here = before[here]
    return path[::-1]


@dataclass(slots=True)
class _Simulation:
    """List scheduling: a free slot always takes the best ready task, by priority, then by how long it is ready."""

    tasks: Tasks
    awaited: Mapping[str, list[str]]
    seconds: Mapping[str, float]
    slots: SlotLimits
    times: dict[str, tuple[float, float]] = field(default_factory=dict)  # in the order of starts
    _ready: dict[Group, list[tuple[int, float, int, str]]] = field(default_factory=dict)
    _busy: Counter[Group] = field(default_factory=Counter)
    _running: list[tuple[float, str]] = field(default_factory=list)
    _missing: dict[str, int] = field(default_factory=dict)
    _dependents: dict[str, list[str]] = field(default_factory=dict)

    def run(self) -> tuple[dict[str, tuple[float, float]], int]:
        """(times, peak). Tasks on or behind a cycle never start."""
        for task_id, dependencies in self.awaited.items():
            self._missing[task_id] = len(dependencies)
            for dependency in dependencies:
                self._dependents.setdefault(dependency, []).append(task_id)
        self._release([t for t, missing in self._missing.items() if not missing], 0.0)
        peak = self._start(0.0)
        while self._running:
            now = self._running[0][0]
            while self._running and self._running[0][0] <= now:
                _, ended = heapq.heappop(self._running)
                self._busy[self._group(ended)] -= 1
                self._release(self._settle(ended), now)
            peak = max(peak, self._start(now))
        return self.times, peak

    def _settle(self, ended: str) -> list[str]:
        released = []
        for dependent in self._dependents.get(ended, ()):
            self._missing[dependent] -= 1
            if not self._missing[dependent]:
                released.append(dependent)
        return released

    def _release(self, ready: list[str], now: float) -> None:
        """Queue what has become ready; groups complete on the spot and release what waits for them."""
        todo = list(reversed(ready))
        while todo:
            task: TaskFact = self.tasks[todo.pop()]
            if task.works:
                heap = self._ready.setdefault(self._group(task.id), [])
                heapq.heappush(heap, (task.priority, now, task.position, task.id))
            else:
                self.times[task.id] = (now, now)
                todo.extend(self._settle(task.id))

    def _start(self, now: float) -> int:
        while (group := self._best()) is not None:
            task_id = heapq.heappop(self._ready[group])[-1]
            self._busy[group] += 1
            end = now + self.seconds[task_id]
            self.times[task_id] = (now, end)
            heapq.heappush(self._running, (end, task_id))
        return len(self._running)

    def _best(self) -> Group | None:
        """The group whose head is the best ready task that has a slot and that no limit holds back."""
        if self.slots.together and len(self._running) >= self.slots.together:
            return None
        room = {True: max(1, self.slots.process), False: max(1, self.slots.asynchronous)}
        used: Counter[str] = Counter()
        for (isolated, executor), busy in self._busy.items():
            room[isolated] -= busy
            used[executor] += busy
        return min(
            (
                group
                for group, heap in self._ready.items()
                if heap
                and room[group[0]] > 0
                and (not group[1] or used[group[1]] < max(1, self.slots.executors[group[1]]))
            ),
            key=lambda group: self._ready[group][0],
            default=None,
        )

    def _group(self, task_id: str) -> Group:
        task = self.tasks[task_id]
        return (task.isolated, task.executor if task.executor in self.slots.executors else "")
