"""The engine's side of scale-out: jobs for workers, reports from them, what was lost with them. PostgreSQL only.

Jobs are procrastinate's, put in by its own SQL function in the transaction that claims: no job without its attempt,
no attempt without its job. They are hints all the same. Whether an attempt runs is decided by its row: a worker picks
it up by compare-and-set, and a lease that runs out takes it back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import orjson
from django.utils import timezone

from orchestration.domain.fleet import Key, Post, Seat
from orchestration.domain.ready_queue import Rules, Slots
from orchestration.domain.states import Status, WorkerKind
from orchestration.domain.work import ENGINE_LOST, RELEASED, UNSTORABLE, Ending, Outcome, Work
from orchestration.driver import array_columns, driver_cursor
from orchestration.executors import registry
from orchestration.failpoints import failpoint

logger = logging.getLogger("apflow.engine")

LIVE = Status.IN_PROGRESS.value
WORKER = WorkerKind.WORKER.value
JOB = "apflow.attempt"  # procrastinate's name of the task
IN_LOOP = ".async"  # ending of the queues for attempts that take no process slot
BATCH = 1000  # reports per step
SHARES = {True: 4, False: 2}  # what is handed out at once makes so many jobs at least, for processes and in the loop
MOST = 16  # attempts in each at most
SILENT_S = 6.0  # a worker silent for so long gets nothing new

DEFER = """SELECT procrastinate_defer_jobs_v1(array_agg(ROW(j.queue, %s::text, j.priority, NULL, NULL,
 j.args::jsonb, NULL)::procrastinate_job_to_defer_v1 ORDER BY j.place))
 FROM unnest(%s::text[], %s::int[], %s::text[]) WITH ORDINALITY AS j(queue, priority, args, place)"""
COLLECT = """DELETE FROM orchestration_report WHERE id IN
 (SELECT id FROM orchestration_report ORDER BY id LIMIT %s) RETURNING id, run_id, task_id, attempt, body"""
EXPIRED = f"""SELECT run_id, task_id, number, worker FROM orchestration_attempt
 WHERE status = '{LIVE}' AND lease_expires_at < clock_timestamp() AND worker <> %s
 ORDER BY id FOR UPDATE SKIP LOCKED"""  # noqa: S608  (from constants)
ALIVE = """SELECT id, process_slots, async_slots, queues FROM orchestration_worker
 WHERE kind = %s AND stopped_at IS NULL
 AND heartbeat_at > clock_timestamp() - make_interval(secs => %s)"""
IN_PROGRESS = f"""SELECT a.task_id, a.number, a.worker, a.executor FROM orchestration_attempt a
 LEFT JOIN orchestration_worker w ON w.id = a.worker
 WHERE a.status = '{LIVE}' AND (a.worker = '' OR w.kind = %s)"""  # noqa: S608  (from constants)


@dataclass(frozen=True, slots=True)
class Job:
    """What one worker fetches at once: attempts of one priority (procrastinate's: higher is sooner)."""

    queue: str
    priority: int
    attempts: Sequence[Key]


class Mailbox:
    """Exchange with worker processes, of the engine *own*. *hands_out*: workers run what it starts."""

    def __init__(self, own: str, rules: Rules, *, hands_out: bool) -> None:
        self.clock_ahead = timedelta()
        self._own = own
        self._hands_out = hands_out
        self._rules = rules
        self._limit = BATCH
        self._closed = False
        self._poison: set[int] = set()  # reports that could not be stored: told as their task's failure
        self._hopeless: set[int] = set()  # those that even then could not: the lease of their attempt runs out
        self._last: list[int] = []

    # -- inside the engine's transaction ---------------------------------------------------------------------------

    def collect(self, *, sweep: bool) -> list[Outcome]:
        """Take in what workers have reported; with *sweep* also what nobody renews any more."""
        with driver_cursor() as cursor:
            cursor.execute(COLLECT, [0 if self._closed else self._limit])
            rows = sorted(cursor.fetchall())
            self._last = [row[0] for row in rows]
            outcomes = [self._opened(*row) for row in rows if row[0] not in self._hopeless]
            if sweep:
                cursor.execute(EXPIRED, [self._own])
                told = {(outcome.task_id, outcome.attempt) for outcome in outcomes if outcome.ends}
                lost = [_lost(*row) for row in cursor.fetchall()]
                outcomes += [outcome for outcome in lost if (outcome.task_id, outcome.attempt) not in told]
        failpoint("engine.collect")
        return outcomes

    def dispatch(self, works: Sequence[Work]) -> None:
        """Their jobs, most urgent first. Nothing when this process runs them itself."""
        if self._hands_out:
            defer(jobs_of(works, self._rules.queue_of))
            failpoint("engine.dispatch")

    # -- outside ---------------------------------------------------------------------------------------------------

    @property
    def more(self) -> bool:
        """Whether the last step left reports behind."""
        return len(self._last) >= self._limit

    def settled(self) -> None:
        """The step was committed."""
        self._poison.difference_update(self._last)
        self._hopeless.difference_update(self._last)
        if not self._closed and len(self._last) < self._limit:
            self._limit = BATCH

    @property
    def suspected(self) -> bool:
        """Whether a report may be to blame when the last step could not be stored."""
        return bool(self._last)

    def suspect(self, *, closed: bool) -> None:
        """One may be: take them one by one, and one that fails alone as its task's failure. *closed*: none at all."""
        if self._limit == 1 and not closed and not self._closed:
            self._hopeless.update(self._poison.intersection(self._last))
            self._poison.update(self._last)
        self._limit = 1
        self._closed = closed
        self._last = []

    def compare_clocks(self) -> None:
        """Find out how far the database's clock is ahead of ours."""
        with driver_cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            self.clock_ahead = cursor.fetchone()[0] - timezone.now()

    def _opened(self, report: int, run_id: int, task_id: UUID, attempt: int, body: str) -> Outcome:
        if report not in self._poison:
            try:
                return outcome_of(run_id, task_id.hex, attempt, body)
            except (ValueError, TypeError):
                ids = {"run": run_id, "task": task_id.hex, "attempt": attempt}
                logger.exception("a report cannot be read", extra=ids)
        text = "the engine could not store what this attempt reported; see the server's log"
        return Outcome(run_id, task_id.hex, attempt, Ending.FAILED, error=text, error_code=UNSTORABLE)


def jobs_of(works: Iterable[Work], queue_of: Callable[[str], str]) -> list[Job]:
    """One job for each of a few attempts, several in one when many are handed out: a job costs the database as much as
    an attempt does."""
    groups: dict[tuple[str, bool, int], list[Key]] = {}
    for work in works:
        groups.setdefault((queue_of(work.executor), work.isolated, -work.priority), []).append(work.key)
    jobs = []
    for (queue, isolated, priority), keys in groups.items():
        name = queue_name(queue, isolated=isolated)
        size = max(1, min(MOST, len(keys) // SHARES[isolated]))
        jobs += [Job(name, priority, keys[at : at + size]) for at in range(0, len(keys), size)]
    return jobs


def defer(jobs: Sequence[Job]) -> None:
    """Put *jobs* into procrastinate's queues, with the current transaction."""
    rows = [(job.queue, job.priority, orjson.dumps({"attempts": job.attempts}).decode()) for job in jobs]
    with driver_cursor() as cursor:
        cursor.execute(DEFER, [JOB, *array_columns(rows)])


def queue_name(queue: str, *, isolated: bool) -> str:
    """Procrastinate's queue: one per kind of slot, so that nobody fetches what he has no slot for."""
    return queue if isolated else queue + IN_LOOP


def body_of(outcome: Outcome) -> str:
    """All of *outcome* but what it is about, as JSON text."""
    fields = (
        outcome.ending, outcome.result, outcome.error, outcome.error_code, outcome.traceback, outcome.log,
        outcome.retryable, outcome.progress, outcome.message,
    )  # fmt: skip
    return orjson.dumps(fields).decode()


def outcome_of(run_id: int, task_id: str, attempt: int, body: str) -> Outcome:
    """The inverse of `body_of`. Raises ValueError or TypeError."""
    ending, *rest = orjson.loads(body)
    return Outcome(run_id, task_id, attempt, Ending(ending), *rest)


def fleet(rules: Rules) -> tuple[dict[str, Post], dict[Key, Seat]]:
    """The workers that are alive, and every attempt that workers have or are to pick up."""
    with driver_cursor() as cursor:
        cursor.execute(ALIVE, [WORKER, SILENT_S])
        posts = {
            name: Post(Slots(process, asynchronous), frozenset(orjson.loads(queues)))
            for name, process, asynchronous, queues in cursor.fetchall()
        }
        cursor.execute(IN_PROGRESS, [WORKER])
        seats = {
            (task_id.hex, number): Seat(registry.is_isolated(executor), rules.queue_of(executor), worker)
            for task_id, number, worker, executor in cursor.fetchall()
        }
    return posts, seats


def _lost(run_id: int, task_id: UUID, number: int, worker: str) -> Outcome:
    if not worker:
        text = "given back: no worker picked it up"
        return Outcome(run_id, task_id.hex, number, Ending.RELEASED, error=text, error_code=RELEASED)
    ids = {"run": run_id, "task": task_id.hex, "attempt": number, "worker": worker}
    logger.warning("worker %s has gone silent: an attempt of it is taken over", worker, extra=ids)
    return Outcome(run_id, task_id.hex, number, Ending.LOST, error="its worker went silent", error_code=ENGINE_LOST)
