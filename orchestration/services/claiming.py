"""Turn a ready task into work: results of its dependencies, resolved inputs, a durable attempt."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from orchestration.domain.errors import InputError
from orchestration.domain.merging import Provenance, Source, resolve
from orchestration.domain.rights import HTTP_PRIVATE, ExecutorForbidden
from orchestration.domain.runstate import RunState
from orchestration.domain.secrets import MARK, SecretMissing
from orchestration.domain.states import Status
from orchestration.domain.taskstate import TaskState
from orchestration.domain.work import DependencyResult, Work
from orchestration.services.claim_means import Means, own_inputs, sealed_for
from orchestration.services.transitions_load import compact, load_results, parse

Results = dict[tuple[str, bool], DependencyResult]  # (task id, required) -> what an executor sees of it


def collect_results(picked: Collection[tuple[RunState, TaskState]]) -> Results:
    """Every dependency of the *picked* tasks. A result is parsed once and shared by all that take it.

    At most one query per 500 results that are not in memory.
    """
    texts: dict[str, str | None] = {}
    missing: dict[str, TaskState] = {}
    unwritten: dict[int, dict[str, str | None]] = {}  # per run: results of attempts that end in this very step
    for state, task in picked:
        for edge in task.edges:
            source = edge.task
            if source.id in texts or source.id in missing or source.status != Status.COMPLETED or not _works(source):
                continue
            if source.result is None and state.run_id not in unwritten:
                unwritten[state.run_id] = {end.task_id: end.result for end in state.changes.ends}
            text = source.result or unwritten.get(state.run_id, {}).get(source.id)
            if text is not None:
                texts[source.id] = text
            else:
                missing[source.id] = source
    if missing:
        texts |= load_results(missing.values())
    values = {task_id: parse(text) if text is not None else None for task_id, text in texts.items()}
    edges = {(edge.task.id, edge.required): edge.task for _, task in picked for edge in task.edges}
    return {
        key: DependencyResult(source.dashed, source.name, key[1], source.verdict, values.get(key[0]), source.error)
        for key, source in edges.items()
    }


def gather(picked: Collection[tuple[RunState, TaskState]], means: Means) -> None:
    """Have in *means* what *picked* needs beside itself. Queries: 0 to 2, and one per 500 results that are not in
    memory."""
    means.results = collect_results(picked)
    means.look_up(picked)


def make_claim(
    state: RunState, task: TaskState, means: Means, now: datetime, *, default_timeout_s: float = 0.0
) -> Work | None:
    """Start *task*: notes the attempt on *state* and returns the work that belongs to it.

    None when its owner has not the right, a secret is missing or the inputs cannot be made: the task failed at once.

    *default_timeout_s*: for tasks without a timeout of their own; 0 = none.
    """
    declared: dict[str, Any] = parse(task.inputs)
    dependencies = [means.results[edge.task.id, edge.required] for edge in task.edges]
    sources = [
        Source(result, edge.map, edge.as_key, _works(edge.task))
        for result, edge in zip(dependencies, task.edges, strict=True)
    ]
    rights = means.known.of[state.owner_id]
    try:
        rights.check(task.executor, task.permission)
        inputs, provenance = resolve(declared, task.override_inputs, sources, merges=task.merges)
        sealed = _sealed(state, task, inputs, provenance, means)
    except (InputError, ExecutorForbidden, SecretMissing) as error:
        state.refuse(task, error, now)
        return None
    plain = not sources and not task.override_inputs
    draft = state.start(task, task.inputs if plain else compact(inputs), compact(provenance), now)
    return Work(
        run_id=state.run_id,
        task_id=task.id,
        attempt=draft.number,
        try_number=draft.try_number,
        name=task.name,
        executor=task.executor,
        inputs=inputs,
        params=parse(task.params),
        input_schema=task.input_schema,
        dependencies=dependencies,
        timeout_s=task.timeout_s or default_timeout_s or None,
        max_attempts=task.max_attempts,
        owner_id=state.owner_id,
        isolated=task.isolated,
        priority=task.priority,
        private_network=rights.may(HTTP_PRIVATE),
        sealed=sealed,
        own_inputs=tuple(own_inputs(inputs, provenance)) if sealed else (),
    )


def _sealed(
    state: RunState, task: TaskState, inputs: dict[str, Any], provenance: Provenance, means: Means
) -> dict[str, str]:
    """Raises SecretMissing."""
    if not (MARK in task.inputs or MARK in task.params or task.override_inputs):
        return {}
    return sealed_for(state.owner_id, [own_inputs(inputs, provenance), parse(task.params)], means.sealed)


def _works(task: TaskState) -> bool:
    """Whether *task* has a result of its own: groups have none."""
    return bool(task.executor)
