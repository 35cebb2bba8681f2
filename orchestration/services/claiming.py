"""Turn a ready task into work: results of its dependencies, resolved inputs, a durable attempt."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestration.domain.errors import InputError
from orchestration.domain.merging import Source, resolve
from orchestration.domain.runstate import RunState
from orchestration.domain.states import Status
from orchestration.domain.taskstate import Edge, TaskState
from orchestration.domain.work import DependencyResult, Work
from orchestration.services.transitions_load import compact, load_results

Results = dict[str, str | None]


@dataclass(slots=True)
class Claim:
    """The work to do, or None when the inputs were refused and the task failed at once."""

    work: Work | None


def collect_results(picked: Iterable[tuple[RunState, TaskState]]) -> Results:
    """Task id -> JSON text of the result, for every completed dependency of the *picked* tasks. At most one query per
    500 results that are not in memory."""
    results: Results = {}
    missing: dict[str, TaskState] = {}
    fresh: dict[str, str | None] = {}
    for state, task in picked:
        for edge in task.edges:
            source = edge.task
            if source.id in results or source.status != Status.COMPLETED or not _works(source):
                continue
            if source.result is not None:
                results[source.id] = source.result
            else:
                missing[source.id] = source
        if missing and state.changes.ends:
            fresh |= {end.task_id: end.result for end in state.changes.ends}
    if missing:
        results |= {task_id: fresh[task_id] for task_id in missing if fresh.get(task_id) is not None}
        results |= load_results(source for task_id, source in missing.items() if task_id not in results)
    return results


def make_claim(
    state: RunState, task: TaskState, results: Results, now: datetime, *, default_timeout_s: float = 0.0
) -> Claim:
    """Start *task*: notes the attempt on *state* and returns the work that belongs to it.

    *default_timeout_s*: for tasks without a timeout of their own; 0 = none.
    """
    declared: dict[str, Any] = json.loads(task.inputs)
    dependencies = [_dependency(edge, results) for edge in task.edges]
    sources = [
        Source(result, edge.map, edge.as_key, has_result=_works(edge.task))
        for result, edge in zip(dependencies, task.edges, strict=True)
    ]
    try:
        inputs, provenance = resolve(declared, task.override_inputs, sources, merges=task.merges)
    except InputError as error:
        state.refuse(task, error, now)
        return Claim(None)
    plain = not sources and not task.override_inputs
    draft = state.start(task, task.inputs if plain else compact(inputs), compact(provenance), now)
    return Claim(
        Work(
            run_id=state.run_id,
            task_id=task.id,
            attempt=draft.number,
            try_number=draft.try_number,
            name=task.name,
            executor=task.executor,
            inputs=inputs,
            params=json.loads(task.params),
            input_schema=task.input_schema,
            dependencies=dependencies,
            timeout_s=task.timeout_s or default_timeout_s or None,
            max_attempts=task.max_attempts,
            owner_id=state.owner_id,
            isolated=task.isolated,
        )
    )


def _dependency(edge: Edge, results: Results) -> DependencyResult:
    source = edge.task
    text = results.get(source.id)
    result = json.loads(text) if text is not None else None
    return DependencyResult(str(UUID(source.id)), source.name, edge.required, source.verdict, result, source.error)


def _works(task: TaskState) -> bool:
    """Whether *task* has a result of its own: groups have none."""
    return bool(task.executor)
