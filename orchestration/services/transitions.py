"""The only writer of status: batches of outcomes in, claimed work out, one transaction each.

Guarantee: when `apply` returns, every accepted outcome and every start in its answer is committed, together with
their events (1, 2, 3 ... per run). If it raises, nothing was written and nothing is known: the next call reads the
rows again.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from orchestration.domain.changes import Changes
from orchestration.domain.ready_queue import ReadyQueue, Room, Rules, Seats
from orchestration.domain.runstate import RunState
from orchestration.domain.states import Kind, Status
from orchestration.domain.taskstate import TaskState
from orchestration.domain.work import Ending, Outcome, Work
from orchestration.driver import driver_cursor
from orchestration.failpoints import failpoint
from orchestration.models import Run
from orchestration.publishing import publisher
from orchestration.services.claim_means import KnownRights, Means
from orchestration.services.claiming import gather, make_claim
from orchestration.services.exchange import Exchange
from orchestration.services.transitions_clock import Clock, move_starts, shift_retries
from orchestration.services.transitions_load import StaleState, load_run
from orchestration.services.transitions_store import store, stored
from orchestration.services.transitions_verbs import note

logger = logging.getLogger("apflow.transitions")

LIVE = Status.IN_PROGRESS.value
WAITS = Status.PENDING.value
LOCK_ACTIVE = f"SELECT id, seq FROM orchestration_run WHERE status = '{LIVE}' ORDER BY id" + (
    " FOR NO KEY UPDATE" if connection.features.has_select_for_no_key_update else ""
)
OVERLOOKED = f"""SELECT r.id FROM orchestration_run r WHERE r.status = '{LIVE}' AND NOT EXISTS
 (SELECT 1 FROM orchestration_task t WHERE t.run_id = r.id
 AND (t.status = '{LIVE}' OR t.ready_at IS NOT NULL OR t.retry_at IS NOT NULL))
 UNION
 SELECT t.run_id FROM orchestration_run r JOIN orchestration_task t ON t.run_id = r.id
 WHERE r.status = '{LIVE}' AND t.ready_at IS NULL AND t.status = '{WAITS}' AND t.blocked_by_id IS NULL
 AND t.retry_at IS NULL AND NOT EXISTS
 (SELECT 1 FROM orchestration_dependency d WHERE d.task_id = t.id AND
 (SELECT u.run_id = t.run_id AND (u.status = '{LIVE}' OR u.status = '{WAITS}' AND u.blocked_by_id IS NULL)
 FROM orchestration_task u WHERE u.id = d.depends_on_id))"""
"""Active runs in which nothing moves, or with a task that waits for nothing and is neither ready nor in back-off.

One look at each waiting task by indexes: 10 ms for a run of 10,000 waiting tasks. The inner SELECT is a value, not a
join, so that no planner begins with it.
"""


@dataclass(slots=True)
class Applied:
    """What one transaction did."""

    collected: list[Outcome] = field(default_factory=list)  # reports of other processes that were taken in
    works: list[Work] = field(default_factory=list)  # started durably: run them now
    stops: list[tuple[str, int]] = field(default_factory=list)  # (task id, attempt) asked to stop
    runs: list[int] = field(default_factory=list)  # runs that changed
    ended: list[tuple[int, Status]] = field(default_factory=list)  # runs that ended, and how
    active: int = 0  # runs that have not ended
    waiting: int = 0  # ready tasks for which there was no slot
    wake_at: datetime | None = None  # the earliest end of a back-off
    unreadable: list[int] = field(default_factory=list)  # active runs whose rows make no sense


class Transitions:
    """The engine's view of all active runs, and its door to the rows. Not for use from two threads at once."""

    def __init__(
        self,
        worker: str,
        *,
        lease_s: float,
        recovery_limit: int,
        default_timeout_s: float = 0.0,
        rules: Rules | None = None,
        exchange: Exchange | None = None,
        own_connection: bool = False,
    ) -> None:
        self.worker = worker  # who runs what is started; "" = whoever picks it up
        self.lease_s = lease_s
        self.recovery_limit = recovery_limit
        self.default_timeout_s = default_timeout_s
        self._rules = rules or Rules()
        self._exchange = exchange
        self._rights = KnownRights(lasting=True) if own_connection and connection.vendor == "sqlite" else None
        self._clock = Clock()
        self._order = itertools.count()
        self._unreadable: dict[int, int] = {}  # run -> seq at which its rows made no sense; tried again by the sweep
        self._parked: list[Outcome] = []  # reports about these
        self.reset()

    def reset(self) -> None:
        """Forget everything that was read: after an error the rows alone know what was committed."""
        self._states: dict[int, RunState] = {}
        self._ready = ReadyQueue(self._rules, self._is_current)
        self._retries: list[tuple[datetime, int, RunState, TaskState]] = []

    # -- the one transaction ---------------------------------------------------------------------------------------

    def apply(self, outcomes: Sequence[Outcome], seats: Seats, *, sweep: bool = False) -> Applied:
        """Commit *outcomes*, settle what depends on them, start what *seats* have room for, best first over all runs.

        *sweep*: also look in the rows for work that was overlooked. Raises DatabaseError (nothing written).
        Effects: task, attempt, event and run rows; nudges to viewers after the commit.
        """
        outcomes = [*self._parked, *outcomes]
        try:
            try:
                applied, written = self._transaction(outcomes, seats, sweep=sweep)
            except StaleState:
                self.reset()
                applied, written = self._transaction(outcomes, seats, sweep=sweep)
        except BaseException:
            self.reset()
            raise
        self._clock.followed()
        for state, changes in written:
            stored(state, changes)
            state.stored_seq = state.seq
        applied.ended += [(s.run_id, s.status) for s, _ in written if s.status != Status.IN_PROGRESS]
        self._states = {run_id: s for run_id, s in self._states.items() if s.status == Status.IN_PROGRESS}
        applied.runs = [state.run_id for state, _ in written]
        applied.active = len(self._states)
        applied.waiting = len(self._ready)
        applied.unreadable = sorted(self._unreadable)
        told = [*outcomes, *applied.collected]
        self._parked = [outcome for outcome in told if outcome.run_id in self._unreadable]
        publisher.send(applied.runs)
        return applied

    def _transaction(
        self, outcomes: Sequence[Outcome], seats: Seats, *, sweep: bool
    ) -> tuple[Applied, list[tuple[RunState, Changes]]]:
        applied = Applied()
        now = timezone.now()
        lease_until = now + timedelta(seconds=self.lease_s)
        with transaction.atomic(durable=True), driver_cursor() as cursor:
            if jump := self._clock.jumped(now):
                sweep = False
                self._follow_clock(cursor, jump, now)
            self._synchronise(cursor, applied, now, sweep=sweep)
            failpoint("engine.ready")
            if self._exchange is not None:
                applied.collected = self._exchange.collect(sweep=sweep)
                lease_until += self._exchange.clock_ahead
            told = [*outcomes, *applied.collected]
            for outcome in told:
                self._report(outcome, now)
            failpoint("engine.report")
            self._wake_retries(applied, now)
            self._claim(applied, seats.after(told), now)
            failpoint("engine.claim")
            written = [(state, state.take_changes()) for state in self._states.values() if state.changes]
            store(cursor, written, now, worker=self.worker, lease_until=lease_until)
            if self._exchange is not None and applied.works:
                self._exchange.dispatch(applied.works)
        return applied, written

    def _follow_clock(self, cursor: Any, jump: timedelta, now: datetime) -> None:
        """Somebody has set the clock: what is under way would seem to last so long, or to end before it began; and set
        back, the clock would let retries wait for so long."""
        if self._exchange is not None:
            self._exchange.compare_clocks()
        cursor.execute(LOCK_ACTIVE)
        move_starts(jump, now, self._clock.unseen)
        if jump < timedelta():
            shift_retries(jump)
        self.reset()

    def _synchronise(self, cursor: Any, applied: Applied, now: datetime, *, sweep: bool) -> None:
        """Lock the active runs and read again those that somebody else has changed (or that nobody moves)."""
        cursor.execute(LOCK_ACTIVE)
        active = dict(cursor.fetchall())
        if sweep:
            self._sweep(cursor, active)
        if gone := self._states.keys() - active.keys():  # ended by a cancel, which is no commit of ours
            ended = Run.objects.filter(pk__in=gone).values_list("pk", "status")
            applied.ended += [(run_id, Status(status)) for run_id, status in ended]
            self._states = {run_id: state for run_id, state in self._states.items() if run_id not in gone}
        self._unreadable = {run_id: seq for run_id, seq in self._unreadable.items() if active.get(run_id) == seq}
        for run_id, seq in active.items():
            state = self._states.get(run_id)
            if (state is None or state.seq != seq) and run_id not in self._unreadable:
                self._load_if_readable(run_id, seq, applied, now)

    def _sweep(self, cursor: Any, active: dict[int, int]) -> None:
        """Forget what is known of runs whose rows show overlooked work: they are read again, and readiness derived."""
        self._unreadable.clear()
        failpoint("engine.sweep")
        cursor.execute(OVERLOOKED)
        for (run_id,) in cursor.fetchall():
            state = self._states.get(run_id)
            if state is not None and state.seq == active.get(run_id):  # else it is read again anyway
                del self._states[run_id]
                logger.error("run %s: work was overlooked, deriving its readiness anew", run_id, extra={"run": run_id})

    def _load_if_readable(self, run_id: int, seq: int, applied: Applied, now: datetime) -> None:
        try:
            self._load(run_id, applied, now)
        except (DatabaseError, StaleState):
            raise
        except Exception:  # whatever is wrong with one run, the others go on
            logger.exception("run %s cannot be read", run_id, extra={"run": run_id})
            self._states.pop(run_id, None)
            self._unreadable[run_id] = seq

    def _load(self, run_id: int, applied: Applied, now: datetime) -> None:
        state = load_run(run_id, recovery_limit=self.recovery_limit)
        self._states[run_id] = state
        for task in state.scope:
            if task.status == Status.PENDING and task.ready_at is not None:
                self._ready.push(state, task)
            elif task.status == Status.PENDING and task.retry_at is not None:
                self._push_retry(state, task)
        applied.stops += state.stopping()
        state.derive(now)
        self._collect(state)

    def _report(self, outcome: Outcome, now: datetime) -> None:
        if outcome.run_id in self._unreadable:
            return  # `apply` keeps it
        state = self._states.get(outcome.run_id)
        if state is None:
            _late_after_end(outcome)
            return
        state.report(outcome, now, random.random())  # noqa: S311  (spreads retries, guards nothing)
        self._collect(state)

    # -- who is next -----------------------------------------------------------------------------------------------

    def _collect(self, state: RunState) -> None:
        """Queue what the last step made ready or sent into back-off."""
        for task in state.changes.ready:
            self._ready.push(state, task)
        for task in state.changes.retries:
            self._push_retry(state, task)
        state.changes.ready.clear()
        state.changes.retries.clear()

    def _push_retry(self, state: RunState, task: TaskState) -> None:
        if task.retry_at is None:
            return
        heapq.heappush(self._retries, (task.retry_at, next(self._order), state, task))

    def _wake_retries(self, applied: Applied, now: datetime) -> None:
        while self._retries:
            at, _, state, task = self._retries[0]
            if self._is_current(state) and task.retry_at == at:
                if at > now:
                    applied.wake_at = at
                    return
                state.wake(task, now)
                self._collect(state)
            heapq.heappop(self._retries)

    def _claim(self, applied: Applied, free: Room, now: datetime) -> None:
        means = Means(self._rights or KnownRights())
        while picked := self._ready.pick(free, self._running):
            gather(picked, means)
            for state, task in picked:
                work = make_claim(state, task, means, now, default_timeout_s=self.default_timeout_s)
                if work is not None:
                    applied.works.append(work)
                    free.take(task.isolated, self._rules.queue_of(task.executor))
                self._collect(state)

    def _is_current(self, state: RunState) -> bool:
        return self._states.get(state.run_id) is state

    def _running(self, executor: str) -> int:
        return sum(state.running(executor) for state in self._states.values())


def _late_after_end(outcome: Outcome) -> None:
    """Log a report for a run that has ended."""
    if outcome.ending != Ending.PROGRESS:
        data: dict[str, object] = {"ending": outcome.ending.value, "error": outcome.error}
        note(outcome.run_id, Kind.LATE_RESULT, data, task_id=outcome.task_id, attempt=outcome.attempt)
