"""Which chain of tasks determined when a run ended, and how much time every other task had to spare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestration.domain.explain.facts import EdgeFact
from orchestration.domain.graph import topological_order


@dataclass(frozen=True, slots=True)
class Timing:
    """When a task really ran, in seconds after the start of the run: first attempt's start, last attempt's end."""

    task: str
    name: str
    started_s: float
    ended_s: float


@dataclass(frozen=True, slots=True)
class Step:
    """One task of the critical path."""

    task: str
    name: str
    queue_s: float  # from the end of what it waited for (or the start of the run) to its own start
    run_s: float
    ended_s: float


@dataclass(frozen=True, slots=True)
class RunPath:
    steps: list[Step]
    total_s: float
    queue_s: float  # of the total: waiting for slots, back-off and the engine
    slack: dict[str, float]  # task -> by how much later it could have ended without moving the end; path: 0


def critical_path_of_run(timings: Mapping[str, Timing], edges: Iterable[EdgeFact]) -> RunPath:
    """The chain back from the task that ended last, at each step to the dependency that ended last. Linear."""
    awaited: dict[str, list[str]] = {t: [] for t in timings}
    for edge in edges:
        if edge.task in timings and edge.depends_on in timings:
            awaited[edge.task].append(edge.depends_on)
    order = topological_order(timings, awaited)
    if not order:
        return RunPath([], 0.0, 0.0, {})
    last = max(order, key=lambda t: timings[t].ended_s)
    steps = _walk_back(last, timings, awaited)
    slack = _slack(order, timings, awaited, timings[last].ended_s)
    return RunPath(steps, timings[last].ended_s, sum(s.queue_s for s in steps), slack)


def _walk_back(last: str, timings: Mapping[str, Timing], awaited: Mapping[str, list[str]]) -> list[Step]:
    steps: list[Step] = []
    here: str | None = last
    while here is not None:
        at = timings[here]
        before = max(awaited[here], key=lambda t: timings[t].ended_s, default=None)
        ready = 0.0 if before is None else timings[before].ended_s
        steps.append(
            Step(here, at.name, max(0.0, at.started_s - ready), max(0.0, at.ended_s - at.started_s), at.ended_s)
        )
        here = before
    return steps[::-1]


def _slack(
    order: list[str], timings: Mapping[str, Timing], awaited: Mapping[str, list[str]], end_s: float
) -> dict[str, float]:
    slack = {t: end_s - timings[t].ended_s for t in order}
    for task_id in reversed(order):
        ready = max((timings[d].ended_s for d in awaited[task_id]), default=0.0)
        for dependency in awaited[task_id]:
            spare = slack[task_id] + ready - timings[dependency].ended_s
            slack[dependency] = max(0.0, min(slack[dependency], spare))
    return slack
