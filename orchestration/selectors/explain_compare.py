"""What one run did to each task, small enough to hold two runs in memory: values as fingerprints."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from orchestration.domain.explain.compare import RunTask, fingerprint
from orchestration.domain.explain.facts import Fate, TaskFact, fate
from orchestration.domain.states import Status
from orchestration.models import Attempt, Run
from orchestration.selectors.explain_load import run_facts

CHUNK = 200  # attempts in memory with their inputs and results


@dataclass(frozen=True, slots=True)
class _Values:
    inputs: dict[str, str]
    result: str | None


def run_tasks(run: Run, now: datetime, *, by_name: bool) -> list[RunTask]:
    """The tasks of the run's scope. *by_name*: pair them by name instead of by id. At most five queries."""
    facts = run_facts(run, now)
    values = _values(run)
    seen: Counter[str] = Counter()
    found = []
    for task in facts.tasks.values():
        if not task.in_run:
            continue
        seen[task.name] += 1
        key = f"{task.name}#{seen[task.name]}" if by_name else task.id
        timing = facts.timings.get(task.id)
        value = values.get(task.id)
        found.append(
            RunTask(
                key=key,
                id=task.id,
                name=task.name,
                status=_status(task),
                position=task.position,
                inputs=value.inputs if value else {},
                result=value.result if value else None,
                error=task.error or None,
                started_s=timing.started_s if timing else None,
                duration_s=timing.ended_s - timing.started_s if timing else None,
            )
        )
    return found


def _status(task: TaskFact) -> str:
    return str(Fate.BLOCKED) if fate(task) == Fate.BLOCKED else str(task.status)


def _values(run: Run) -> dict[str, _Values]:
    """Task -> fingerprints of the newest attempt in *run*."""
    rows = Attempt.objects.filter(run=run).order_by("number").values_list("task_id", "status", "inputs", "result")
    found: dict[str, _Values] = {}
    for task_id, status, inputs, result in rows.iterator(CHUNK):
        done = fingerprint(result) if status == Status.COMPLETED else None
        found[task_id.hex] = _Values({key: fingerprint(value) for key, value in inputs.items()}, done)
    return found
