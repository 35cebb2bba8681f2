"""One order over all active runs: which ready task takes the next free slot."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, Self

from orchestration.domain.runstate import RunState
from orchestration.domain.states import Status
from orchestration.domain.taskstate import TaskState
from orchestration.domain.work import Outcome

Pick = tuple[RunState, TaskState]
Group = tuple[bool, str, str, int]  # isolated, queue, limited executor or "", limited run or 0
DEFAULT_QUEUE = "default"


class Room(Protocol):
    """Free places for attempts."""

    def has(self, isolated: bool, queue: str) -> bool:
        """Whether one more attempt of this kind can be taken."""

    def take(self, isolated: bool, queue: str) -> object:
        """Take one place that `has` has promised."""

    def copy(self) -> Self: ...


class Seats(Protocol):
    """Who knows what is taken, and so what is free once *outcomes* are committed."""

    def after(self, outcomes: Sequence[Outcome]) -> Room: ...


@dataclass(slots=True)
class Slots:
    """How many more attempts can be taken, by kind; every queue is served."""

    process: int = 0
    asynchronous: int = 0

    def has(self, isolated: bool, queue: str) -> bool:
        return (self.process if isolated else self.asynchronous) > 0

    def take(self, isolated: bool, queue: str) -> None:
        self.process -= isolated
        self.asynchronous -= not isolated

    def give(self, isolated: bool, queue: str) -> None:
        """The reverse of `take`."""
        self.process += isolated
        self.asynchronous += not isolated

    def copy(self) -> Slots:
        return Slots(self.process, self.asynchronous)

    def after(self, outcomes: Sequence[Outcome]) -> Slots:
        """These numbers, whatever ends: the caller has counted already."""
        return self.copy()


@dataclass(frozen=True, slots=True)
class Rules:
    """What else than slots bounds and orders the queue."""

    executor_limits: Mapping[str, int] = field(default_factory=dict)  # executor -> most at a time, over all runs
    ageing_s: float = 0.0  # waiting this long is worth one step of priority; 0 = priorities never yield
    queues: Mapping[str, str] = field(default_factory=dict)  # executor -> queue that its attempts go through

    def queue_of(self, executor: str) -> str:
        """The queue of an executor's attempts."""
        return self.queues.get(executor, DEFAULT_QUEUE)


class ReadyQueue:
    """Ready tasks, best first: lower priority number, then longer ready, then earlier run and place in the outline.

    Tasks under a limit of their executor or tree wait in a heap of their own, so that a full limit costs nothing.
    Entries are never removed when a task changes: `valid` tells at the time of picking whether one still holds.
    """

    def __init__(self, rules: Rules, valid: Callable[[RunState], bool]) -> None:
        self._rules = rules
        self._valid = valid
        self._order = itertools.count()
        self._heaps: dict[Group, list[tuple[Any, ...]]] = {}

    def __len__(self) -> int:
        return sum(len(heap) for heap in self._heaps.values())

    def push(self, state: RunState, task: TaskState) -> None:
        """Queue a ready *task*; queueing it twice is harmless."""
        limited = task.executor if task.executor in self._rules.executor_limits else ""
        run_id = state.run_id if state.max_parallel else 0
        group = (task.isolated, self._rules.queue_of(task.executor), limited, run_id)
        place = (*self._rank(task), state.run_id, task.position, next(self._order))
        heapq.heappush(self._heaps.setdefault(group, []), (*place, task.ready_at, state, task))

    def pick(self, free: Room, running: Callable[[str], int]) -> list[Pick]:
        """Take up to *free* tasks off the queue, best first. *running*: executor -> attempts in progress."""
        picked: list[Pick] = []
        left = free.copy()
        by_executor = {name: limit - running(name) for name, limit in self._rules.executor_limits.items()}
        by_run: dict[int, int] = {}
        while (heap := self._best(left, by_executor, by_run)) is not None:
            *_, state, task = heapq.heappop(heap)
            task.ready_at = None  # a second entry of the same task must not start it twice
            picked.append((state, task))
            left.take(task.isolated, self._rules.queue_of(task.executor))
            if task.executor in by_executor:
                by_executor[task.executor] -= 1
            if state.max_parallel:
                by_run[state.run_id] -= 1
        return picked

    def _best(self, left: Room, by_executor: dict[str, int], by_run: dict[int, int]) -> list[tuple[Any, ...]] | None:
        """The heap whose head is the best task that nothing holds back."""
        best: list[tuple[Any, ...]] | None = None
        for heap in self._open_heaps(left, by_executor, by_run):
            if best is None or heap[0] < best[0]:
                best = heap
        return best

    def _open_heaps(
        self, left: Room, by_executor: dict[str, int], by_run: dict[int, int]
    ) -> Iterator[list[tuple[Any, ...]]]:
        for group, heap in list(self._heaps.items()):
            isolated, queue, executor, run_id = group
            if not left.has(isolated, queue) or (executor and by_executor[executor] <= 0):
                continue
            while heap and not self._holds(heap[0]):
                heapq.heappop(heap)
            if not heap:
                del self._heaps[group]
                continue
            if run_id:
                state: RunState = heap[0][-2]
                if by_run.setdefault(run_id, state.room) <= 0:
                    continue
            yield heap

    def _holds(self, entry: tuple[Any, ...]) -> bool:
        *_, ready_at, state, task = entry
        return task.status == Status.PENDING and task.ready_at == ready_at and self._valid(state)

    def _rank(self, task: TaskState) -> tuple[Any, ...]:
        if not self._rules.ageing_s or task.ready_at is None:
            return (task.priority, task.ready_at)
        return (task.ready_at + timedelta(seconds=self._rules.ageing_s * task.priority),)
