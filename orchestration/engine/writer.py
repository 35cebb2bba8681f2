"""The engine's writer thread: whatever was reported while the previous commit ran becomes the next commit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from time import monotonic

from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.utils import timezone

from orchestration.conf import Conf
from orchestration.domain.ready_queue import Rules, Slots
from orchestration.domain.work import ENGINE_LOST, Ending, Outcome
from orchestration.selectors.attempts import live_attempts
from orchestration.services import transitions, workers
from orchestration.services.transitions import Applied, Transitions

logger = logging.getLogger("apflow.engine")

POLL_S = 0.5  # how soon a run that another process started is noticed; one of this process pokes
UNSTORABLE = "unstorable_report"
RETRY_S = (0.05, 0.2, 1.0, 5.0)  # pauses while the database cannot be written
POSTPONE_S = 30.0  # until a report that could not be stored in any shape is tried again


class Writer(threading.Thread):
    """Owns the write connection. `deliver` is called in this thread with what each commit did."""

    def __init__(self, worker: str, conf: Conf, deliver: Callable[[Applied], None]) -> None:
        super().__init__(name="apflow-writer", daemon=True)
        self._conf = conf
        self._worker = worker
        self._deliver = deliver
        self._transitions = Transitions(
            worker,
            lease_s=conf.lease_s,
            recovery_limit=conf.recovery_limit,
            default_timeout_s=conf.default_timeout_s,
            rules=Rules(conf.executor_limits, conf.ageing_s),
        )
        self._condition = threading.Condition()
        self._committing = threading.Lock()  # held from a claim until its delivery
        self._queue: list[Outcome] = []
        self._poked = True
        self._claiming = True
        self._ending = False
        self._free = Slots(conf.process_slots, conf.async_slots)
        self._held: dict[tuple[str, int], bool] = {}  # running attempts -> isolated
        self._postponed: list[tuple[float, Outcome]] = []  # (when, replacement report)
        self._wake_at: datetime | None = None
        self._beat_at = self._sweep_at = 0.0
        self._failures = 0
        self.degraded = ""  # why nothing can be written at the moment

    # -- called from other threads ---------------------------------------------------------------------------------

    def put(self, *outcomes: Outcome) -> None:
        """Queue reports for the next commit."""
        if not outcomes:
            return
        with self._condition:
            self._queue += outcomes
            self._condition.notify()

    def poke(self) -> None:
        """Look at the rows now: somebody started or cancelled something."""
        with self._condition:
            self._poked = True
            self._condition.notify()

    def stop_claiming(self) -> None:
        """Start nothing more. When this returns, everything that was started has been delivered."""
        with self._committing:
            self._claiming = False

    def end(self) -> None:
        """Commit what is queued, then end the thread."""
        with self._condition:
            self._ending = True
            self._condition.notify()

    # -- the thread ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            self._queue.extend(self._take_over_at_last())
            while batch := self._next():
                self._step(batch[0])
        finally:
            connection.close()

    def _take_over_at_last(self) -> list[Outcome]:
        while not self._ending:
            try:
                return self._take_over()
            except (OperationalError, InterfaceError) as error:
                self._pause_after(error, [])
        return []

    def _take_over(self) -> list[Outcome]:
        """Reports for everything a dead predecessor left in progress: there is one engine, so all of it is lost."""
        lost = [
            Outcome(run_id, task_id, number, Ending.LOST, error="its engine ended", error_code=ENGINE_LOST)
            for run_id, task_id, number, _worker in live_attempts(except_worker=self._worker)
        ]
        if lost:
            logger.warning("taking over %d attempts of an engine that has ended", len(lost))
        return lost

    def _next(self) -> tuple[list[Outcome]] | None:
        """The next batch (maybe empty: just look), or None when it is time to end."""
        with self._condition:
            if not self._queue and not self._poked and not self._ending:
                self._condition.wait(self._pause())
            batch, self._queue = [*self._queue, *self._due()], []
            self._poked = False
            return None if self._ending and not batch else (batch,)

    def _due(self) -> list[Outcome]:
        now = monotonic()
        due = [outcome for at, outcome in self._postponed if at <= now]
        self._postponed = [(at, outcome) for at, outcome in self._postponed if at > now]
        return due

    def _pause(self) -> float:
        pause = POLL_S
        if self._wake_at is not None:
            pause = min(pause, max(0.0, (self._wake_at - timezone.now()).total_seconds()))
        return pause

    def _step(self, batch: list[Outcome]) -> None:
        try:
            with self._committing:
                self._commit(batch)
        except (OperationalError, InterfaceError) as error:
            self._pause_after(error, batch)
        except Exception:  # noqa: BLE001  logged there; the thread must live on, whatever one report contains
            self._isolate_poison(batch)

    def _commit(self, batch: list[Outcome]) -> None:
        self._maintain()
        free = self._slots_after(batch)
        sweep = monotonic() >= self._sweep_at
        applied = self._transitions.apply(batch, free if self._claiming else Slots(), sweep=sweep)
        if sweep:
            self._sweep_at = monotonic() + self._conf.sweep_s
        self._account(batch, applied)
        self._deliver(applied)

    def _slots_after(self, batch: list[Outcome]) -> Slots:
        """What will be free once *batch* is committed."""
        free = Slots(self._free.process, self._free.asynchronous)
        for outcome in batch:
            isolated = self._held.get((outcome.task_id, outcome.attempt))
            if isolated is not None and outcome.ending != Ending.PROGRESS:
                free.process += isolated
                free.asynchronous += not isolated
        return free

    def _account(self, batch: list[Outcome], applied: Applied) -> None:
        self._free = self._slots_after(batch)
        for outcome in batch:
            if outcome.ending != Ending.PROGRESS:
                self._held.pop((outcome.task_id, outcome.attempt), None)
        for work in applied.works:
            self._held[work.key] = work.isolated
            self._free.process -= work.isolated
            self._free.asynchronous -= not work.isolated
        self._wake_at = applied.wake_at
        self._failures = 0
        self.degraded = f"cannot read run {applied.unreadable[0]}; see the server's log" if applied.unreadable else ""

    def _maintain(self) -> None:
        """Renew leases and the worker's own sign of life."""
        if monotonic() < self._beat_at:
            return
        if self._held:
            transitions.heartbeat(self._worker, self._conf.lease_s)
        workers.beat(self._worker)
        self._beat_at = monotonic() + self._conf.heartbeat_s

    def _pause_after(self, error: OperationalError | InterfaceError, batch: list[Outcome]) -> None:
        """The database is locked, full or gone: keep every report and try again. What was started by a commit whose
        answer got lost is found by comparing rows with what this process runs."""
        pause = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1
        self.degraded = f"{type(error).__name__}: {error}"[:200]
        logger.error("cannot write (%s), try again in %.2f s", self.degraded, pause)
        connection.close()
        with self._condition:
            self._queue = batch + self._queue
            self._condition.wait(pause)
        orphans = self._orphans()
        with self._condition:
            self._queue = orphans + self._queue

    def _isolate_poison(self, batch: list[Outcome]) -> None:
        """One report that cannot be stored must not hold up the others: it fails its own task only."""
        logger.exception("a batch of %d reports cannot be stored", len(batch))
        if len(batch) > 1:
            for outcome in batch:
                self._step([outcome])
        elif batch and batch[0].error_code == UNSTORABLE:
            self._postpone(batch[0])
        elif batch:
            bad = batch[0]
            text = "the engine could not store what this attempt reported; see the server's log"
            self._step(
                [Outcome(bad.run_id, bad.task_id, bad.attempt, Ending.FAILED, error=text, error_code=UNSTORABLE)]
            )
        else:
            self.degraded = "the engine cannot work on a run; see the server's log"
            with self._condition:
                self._condition.wait(RETRY_S[-1])

    def _postpone(self, outcome: Outcome) -> None:
        """Not even its failure can be stored: its work is over all the same, so its slot serves others meanwhile."""
        told = {"run": outcome.run_id, "task": outcome.task_id, "attempt": outcome.attempt}
        logger.error("the end of an attempt cannot be stored: try again in %.0f s", POSTPONE_S, extra=told)
        self._free = self._slots_after([outcome])
        self._held.pop((outcome.task_id, outcome.attempt), None)
        self._postponed.append((monotonic() + POSTPONE_S, outcome))

    def _orphans(self) -> list[Outcome]:
        try:
            live = live_attempts(worker=self._worker)
        except DatabaseError:
            return []  # still not readable; the next failure comes here again
        known = self._held.keys() | {(outcome.task_id, outcome.attempt) for _, outcome in self._postponed}
        return [
            Outcome(run_id, task_id, number, Ending.LOST, error="its start was not confirmed", error_code=ENGINE_LOST)
            for run_id, task_id, number, _worker in live
            if (task_id, number) not in known
        ]
