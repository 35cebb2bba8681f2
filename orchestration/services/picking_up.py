"""A worker's side of scale-out: take jobs, make their attempts its own, keep its leases, report. PostgreSQL only.

A job is fetched and finished through procrastinate's SQL functions in the transaction that makes the attempt the
worker's: there is never a job "in progress" that could be stuck, and a worker that dies before the commit has taken
nothing. From then on the lease on the attempt's row alone says whose it is.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from orchestration.domain.fleet import Key
from orchestration.domain.ready_queue import Slots
from orchestration.domain.rights import HTTP_PRIVATE, ExecutorForbidden, Rights
from orchestration.domain.secrets import MARK, SecretMissing, names_in
from orchestration.domain.states import TERMINAL, Status
from orchestration.domain.work import DependencyResult, Ending, Outcome, Work
from orchestration.driver import array_columns, array_text, driver_cursor
from orchestration.executors import registry
from orchestration.selectors.rights import rights_of
from orchestration.selectors.secrets import sealed_of
from orchestration.services.claim_means import own_inputs, sealed_for
from orchestration.services.handing_out import JOB, Job, body_of, defer, queue_name
from orchestration.services.notices import REPORTS
from orchestration.services.transitions_load import EMPTY, parse

logger = logging.getLogger("apflow.worker")

LIVE = Status.IN_PROGRESS.value
DONE = Status.COMPLETED.value
NOBODY = ""  # the worker of an attempt that has not been picked up

WAITING = """SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo'
 AND queue_name = ANY(%s::text[]::varchar[]))"""
# for each kind of slot one job after another, until there are attempts enough: to look for one in vain costs as much as
# to take one; a job without any counts as one, or a queue full of strangers' would be taken off at once
FETCH = """SELECT kind.place, (fetched.job).task_name, (fetched.job).queue_name, (fetched.job).priority,
 (fetched.job).args::text, procrastinate_finish_job_v1((fetched.job).id, 'succeeded', true)
 FROM (VALUES (0, %s::text[]::varchar[], %s::int), (1, %s::text[]::varchar[], %s::int)) AS kind(place, queues, most),
 LATERAL
 (WITH RECURSIVE taken AS
 (SELECT NULL::procrastinate_jobs AS job, 0 AS place, 0 AS attempts
 UNION ALL
 SELECT job, place,
 attempts + greatest(1, jsonb_array_length(jsonb_path_query_array((job).args, 'lax $.attempts[*]')))
 FROM
 (SELECT procrastinate_fetch_job_v2(kind.queues, NULL) AS job, place + 1 AS place, attempts FROM taken
 WHERE (place = 0 OR (job).id IS NOT NULL) AND attempts < kind.most) AS next)
 SELECT job, place FROM taken WHERE (job).id IS NOT NULL) AS fetched
 ORDER BY kind.place, fetched.place"""
# what an attempt must be comes with each job, see transitions_bulk.py
PICK_UP = """UPDATE orchestration_attempt a
 SET worker = %s, lease_expires_at = clock_timestamp() + make_interval(secs => %s)
 FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[]) AS j(task_id, number, status, worker),
 orchestration_task t, orchestration_tree tree, orchestration_run r
 WHERE a.task_id = j.task_id AND a.number = j.number AND a.status = j.status AND a.worker = j.worker
 AND t.id = a.task_id AND t.attempt = a.number AND tree.id = t.tree_id AND r.id = a.run_id
 RETURNING a.run_id, a.task_id, a.number, a.try_number, t.name, a.executor, a.inputs, t.params,
 t.schemas::json ->> 'input_schema',
 COALESCE((r.overrides::json #>> ARRAY[t.id::text, 'timeout_s'])::float, t.timeout_s),
 t.max_attempts, tree.owner_id, t.priority, t.stop_requested_at IS NOT NULL"""
EDGES = """SELECT d.task_id, s.id, s.name, d.required, s.status, s.error, s.executor, s.attempt, s.linked_attempt_id
 FROM orchestration_dependency d JOIN orchestration_task s ON s.id = d.depends_on_id
 WHERE d.task_id = ANY(%s::uuid[]) ORDER BY d.task_id, d.position"""
RESULTS = """SELECT a.task_id, a.result FROM unnest(%s::uuid[], %s::int[]) AS j(task_id, number)
 JOIN orchestration_attempt a ON a.task_id = j.task_id AND a.number = j.number"""
PROVENANCE = """SELECT a.task_id, a.provenance FROM unnest(%s::uuid[], %s::int[]) AS j(task_id, number)
 JOIN orchestration_attempt a ON a.task_id = j.task_id AND a.number = j.number"""
LINKED = "SELECT id, result FROM orchestration_attempt WHERE id = ANY(%s)"
REPORT = """WITH told AS
 (INSERT INTO orchestration_report (run_id, task_id, attempt, worker, body, created_at)
 SELECT run_id, task_id, attempt, %s, body, clock_timestamp()
 FROM unnest(%s::bigint[], %s::uuid[], %s::int[], %s::text[]) AS r(run_id, task_id, attempt, body))
 SELECT pg_notify(%s, '')"""
# rows that the engine is just ending are skipped: two statements that lock many rows must not wait for each other
RENEW = f"""UPDATE orchestration_attempt SET lease_expires_at = clock_timestamp() + make_interval(secs => %s)
 WHERE id IN (SELECT id FROM orchestration_attempt WHERE status = '{LIVE}' AND worker = %s FOR UPDATE SKIP LOCKED)"""  # noqa: S608  (from constants)
MINE = f"""SELECT a.task_id, a.number, a.run_id, t.stop_requested_at IS NOT NULL FROM orchestration_attempt a
 JOIN orchestration_task t ON t.id = a.task_id WHERE a.status = '{LIVE}' AND a.worker = %s"""  # noqa: S608  (from constants)


@dataclass(slots=True)
class Picked:
    """What a worker has made its own."""

    works: list[Work] = field(default_factory=list)  # run them now
    stopped: list[Work] = field(default_factory=list)  # cancelled before anybody picked them up: only confirm
    refused: list[Outcome] = field(default_factory=list)  # of works whose owner has lost a right or a secret since


@dataclass(slots=True)
class Standing:
    """What the rows say about what a worker holds."""

    held: dict[Key, int] = field(default_factory=dict)  # attempt -> its run
    stopping: set[Key] = field(default_factory=set)  # asked to stop


def are_waiting(queues: Collection[str], free: Slots) -> bool:
    """Whether *queues* hold jobs of a kind that there are *free* slots for."""
    names = [name for kind, most in _kinds(queues, free) if most > 0 for name in kind]
    if not names:
        return False
    with driver_cursor() as cursor:
        cursor.execute(WAITING, [names])
        return bool(cursor.fetchone()[0])


def fetch(queues: Collection[str], free: Slots) -> list[Key]:
    """Take as many attempts of each kind off *queues* as there are *free* slots for, most urgent first, for good (with
    the current transaction). What else is in their jobs is put back for others."""
    kinds = _kinds(queues, free)
    room = [most for _, most in kinds]
    if max(room) <= 0:
        return []
    with driver_cursor() as cursor:
        cursor.execute(FETCH, [part for names, most in kinds for part in (array_text(names), most)])
        rows = cursor.fetchall()
    keys: list[Key] = []
    rest = []
    for kind, name, queue, priority, args, _ in rows:
        found = _attempts(args) if name == JOB else []
        fitting = found[: room[kind]]
        keys += fitting
        room[kind] -= len(fitting)
        if len(found) > len(fitting):
            rest.append(Job(queue, priority, found[len(fitting) :]))
    if rest:
        defer(rest)
    return keys


def _kinds(queues: Collection[str], free: Slots) -> list[tuple[list[str], int]]:
    """Procrastinate's queues of each kind of slot, and how many of these are free."""
    kinds = ((True, free.process), (False, free.asynchronous))
    return [([queue_name(queue, isolated=isolated) for queue in queues], most) for isolated, most in kinds]


def _attempts(args: str) -> list[Key]:
    """What a job names; nothing when it was not made by an engine."""
    try:
        return [(UUID(task).hex, int(number)) for task, number in orjson.loads(args)["attempts"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        logger.warning("a job names no attempts: %.200s", args)
        return []


def pick_up(keys: Sequence[Key], worker: str, *, lease_s: float, default_timeout_s: float) -> Picked:
    """Those of the attempts *keys* that nobody has picked up or ended yet, now *worker*'s. Queries: 1 to 7."""
    picked = Picked()
    if not keys:
        return picked
    with driver_cursor() as cursor:
        wanted = [(task_id, number, LIVE, NOBODY) for task_id, number in keys]
        cursor.execute(PICK_UP, [worker, lease_s, *array_columns(wanted)])
        rows = {(row[1].hex, row[2]): row for row in cursor.fetchall()}
        dependencies = _dependencies(cursor, [row[1] for row in rows.values()])
    for key in dict.fromkeys(keys):  # in their order: most urgent first
        if key in rows:
            work = _work(rows[key], dependencies.get(rows[key][1], []), default_timeout_s)
            (picked.stopped if rows[key][-1] else picked.works).append(work)
    _check(picked, {key for key, row in rows.items() if MARK in row[6] or MARK in row[7]})
    return picked


def _check(picked: Picked, with_secrets: set[Key]) -> None:
    """Refuse what its owner may not have done now; give the others what their owner has. Queries: 0 to 3."""
    rights = rights_of({work.owner_id for work in picked.works}) if picked.works else {}
    marked = [work for work in picked.works if work.key in with_secrets]
    if marked:
        _seal(marked)
    refused: set[Key] = set()
    for work in picked.works:
        try:
            _allow(work, rights[work.owner_id])
        except (ExecutorForbidden, SecretMissing) as error:
            refused.add(work.key)
            ending = Outcome(work.run_id, work.task_id, work.attempt, Ending.FAILED, error=str(error), retryable=False)
            ending.error_code = error.code
            picked.refused.append(ending)
    picked.works = [work for work in picked.works if work.key not in refused]


def _allow(work: Work, rights: Rights) -> None:
    """Raises ExecutorForbidden, SecretMissing."""
    found = registry.find(work.executor)
    rights.check(work.executor, found.permission if found is not None else "")
    work.private_network = rights.may(HTTP_PRIVATE)
    if work.own_inputs or work.sealed:
        known = {(work.owner_id, name): sealed for name, sealed in work.sealed.items()}
        work.sealed = sealed_for(work.owner_id, _asking(work), known)


def _seal(works: Sequence[Work]) -> None:
    """What of their inputs may ask for secrets, and the sealed values of all that they ask for ("": there is none)."""
    with driver_cursor() as cursor:
        cursor.execute(PROVENANCE, [[work.task_id for work in works], [work.attempt for work in works]])
        provenance = {task_id.hex: parse(text) for task_id, text in cursor.fetchall()}
    for work in works:
        work.own_inputs = tuple(own_inputs(work.inputs, provenance.get(work.task_id, {})))
    names = {work.key: names_in(_asking(work)) for work in works}
    sealed = sealed_of({(work.owner_id, name) for work in works for name in names[work.key]})
    for work in works:
        work.sealed = {name: sealed[work.owner_id, name] for name in names[work.key]}


def _asking(work: Work) -> list[Any]:
    return [{key: work.inputs[key] for key in work.own_inputs}, work.params]


def report(outcomes: Sequence[Outcome], worker: str) -> None:
    """Store *outcomes* for the engine and wake it."""
    rows = [(outcome.run_id, outcome.task_id, outcome.attempt, body_of(outcome)) for outcome in outcomes]
    with driver_cursor() as cursor:
        cursor.execute(REPORT, [worker, *array_columns(rows), REPORTS])


def renew(worker: str, lease_s: float) -> None:
    """Renew the leases of everything that *worker* holds."""
    with driver_cursor() as cursor:
        cursor.execute(RENEW, [lease_s, worker])


def standing(worker: str) -> Standing:
    """What the rows say that *worker* holds, and what of it has been asked to stop."""
    with driver_cursor() as cursor:
        cursor.execute(MINE, [worker])
        rows = cursor.fetchall()
    held = {(task_id.hex, number): run_id for task_id, number, run_id, _ in rows}
    return Standing(held, {(task_id.hex, number) for task_id, number, _, stop in rows if stop})


def _work(row: Sequence[Any], dependencies: list[DependencyResult], default_timeout_s: float) -> Work:
    run_id, task_id, number, try_number, name, executor, inputs, params, schema, timeout_s, most, owner, prio, _ = row
    found = registry.find(executor)
    return Work(
        run_id=run_id,
        task_id=task_id.hex,
        attempt=number,
        try_number=try_number,
        name=name,
        executor=executor,
        inputs=parse(inputs),
        params=parse(params) if params != EMPTY else {},
        input_schema=parse(schema) if schema else None,
        dependencies=dependencies,
        timeout_s=timeout_s or default_timeout_s or None,
        max_attempts=most,
        owner_id=owner,
        isolated=found is not None and found.isolated,
        priority=prio,
    )


def _dependencies(cursor: Any, tasks: list[UUID]) -> dict[UUID, list[DependencyResult]]:
    """Task -> its dependencies as its executor sees them; a result is read and parsed once."""
    if not tasks:
        return {}
    cursor.execute(EDGES, [array_text(tasks)])
    edges = cursor.fetchall()
    values = _results(cursor, edges)
    found: dict[UUID, list[DependencyResult]] = {}
    for task_id, source, name, required, status, error, *_ in edges:
        verdict = status if Status(status) in TERMINAL else "blocked"
        result = DependencyResult(str(source), name, required, verdict, values.get(source), error)
        found.setdefault(task_id, []).append(result)
    return found


def _results(cursor: Any, edges: Sequence[Sequence[Any]]) -> Mapping[UUID, Any]:
    """Source -> its result, of completed ones that have an executor (links: of the attempt they refer to)."""
    sources = {row[1]: (row[7], row[8]) for row in edges if row[4] == DONE and row[6]}
    own = {source: number for source, (number, linked) in sources.items() if linked is None}
    linked = {attempt: source for source, (_, attempt) in sources.items() if attempt is not None}
    texts: dict[UUID, str | None] = {}
    if own:
        cursor.execute(RESULTS, [list(own), list(own.values())])
        texts |= dict(cursor.fetchall())
    if linked:
        cursor.execute(LINKED, [list(linked)])
        texts |= {linked[attempt]: text for attempt, text in cursor.fetchall()}
    return {source: parse(text) for source, text in texts.items() if text is not None}
