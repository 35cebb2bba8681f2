"""The engine's writer thread: whatever was reported while the previous commit ran becomes the next commit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from time import monotonic

from django.db import Error, connection
from django.utils import timezone

from orchestration.away import is_away
from orchestration.conf import Conf
from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import UNSTORABLE, Ending, Outcome, log_ids
from orchestration.driver import data_version
from orchestration.engine.dispatchers import EmbeddedDispatcher, rules_of
from orchestration.failpoints import failpoint
from orchestration.services.transitions import Applied, Transitions

logger = logging.getLogger("apflow.engine")

POLL_S = 0.5  # how soon a run that another process started is noticed; one of this process pokes
RETRY_S = (0.05, 0.2, 1.0, 2.0)  # pauses while the database cannot be written
LAST_WORDS_S, WAIT_S = 10.0, 0.2  # at the end, while the database does not answer
POSTPONE_S = 30.0  # until a report that could not be stored in any shape is tried again


class Writer(threading.Thread):
    """Owns the write connection. `deliver` is called in this thread with what each commit did."""

    def __init__(self, dispatcher: EmbeddedDispatcher, conf: Conf, deliver: Callable[[Applied], None]) -> None:
        super().__init__(name="apflow-writer", daemon=True)
        self._conf = conf
        self._dispatcher = dispatcher
        self._seats = dispatcher.seats
        self._mailbox = dispatcher.mailbox
        self._deliver = deliver
        self._rules = rules_of(conf)
        self._transitions = Transitions(
            dispatcher.holder,
            lease_s=dispatcher.lease_s,
            recovery_limit=conf.recovery_limit,
            default_timeout_s=conf.default_timeout_s,
            rules=self._rules,
            exchange=dispatcher.mailbox,
            own_connection=True,
        )
        self._condition = threading.Condition()
        self._committing = threading.Lock()  # held from a claim until its delivery
        self._queue: list[Outcome] = []
        self._poked = True
        self._claiming = True
        self._ending = False
        self._postponed: list[tuple[float, Outcome]] = []  # (when, replacement report)
        self._wake_at: datetime | None = None
        self._sweep_at = 0.0
        self._active = 0  # runs
        self._version: tuple[object, int] | None = (
            None  # of the data, when they were last looked at for no other reason
        )
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

    @property
    def waits_for_database(self) -> bool:
        """Whether the last step could not be written, and is tried again and again."""
        return self._failures > 0

    def ended(self) -> bool:
        """Wait for the end of the thread. False: the database has not answered for 10 seconds, and nobody waits on."""
        gives_up = monotonic() + LAST_WORDS_S
        while self.is_alive():
            self.join(WAIT_S)
            if not self.waits_for_database:
                gives_up = monotonic() + LAST_WORDS_S
            elif monotonic() > gives_up:
                logger.error("the last reports cannot be stored: the next start takes over what they are about")
                return False
        return True

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
            except Error as error:
                if not is_away(error):
                    raise
                self._pause_after(error, [])
        return []

    def _take_over(self) -> list[Outcome]:
        """Reports for everything that ran in the process of a dead predecessor."""
        lost = self._dispatcher.recover()
        failpoint("engine.recover")
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
        except Exception as error:  # noqa: BLE001  logged there; the thread must live on, whatever one report contains
            if is_away(error):
                self._pause_after(error, batch)
            else:
                self._isolate_poison(batch)

    def _commit(self, batch: list[Outcome]) -> None:
        self._dispatcher.maintain()
        sweep = monotonic() >= self._sweep_at
        if not batch and not sweep and self._nothing_new():
            return
        if sweep or self._failures:
            batch = [*batch, *self._unknown(batch)]
        applied = self._transitions.apply(batch, self._seats if self._claiming else Slots(), sweep=sweep)
        failpoint("engine.committed")
        if sweep:
            self._sweep_at = monotonic() + self._conf.sweep_s
        self._account(batch, applied)
        self._deliver(applied)
        failpoint("engine.delivered")

    def _nothing_new(self) -> bool:
        """Whether a look at the rows can be spared: no run is active, and nobody has written since the last time."""
        seen, self._version = self._version, data_version()
        return not self._active and not self._failures and self._version is not None and seen == self._version

    def _account(self, batch: list[Outcome], applied: Applied) -> None:
        started = [(work.key, work.isolated, self._rules.queue_of(work.executor)) for work in applied.works]
        self._seats.settle([*batch, *applied.collected], started)
        if self._mailbox is not None:
            self._mailbox.settled()
            if self._mailbox.more:
                self.poke()
        self._wake_at = applied.wake_at
        self._active = applied.active
        self._failures = 0
        self.degraded = f"cannot read run {applied.unreadable[0]}; see the server's log" if applied.unreadable else ""

    def _pause_after(self, error: Exception, batch: list[Outcome]) -> None:
        """The database is locked, full, read-only or gone: keep every report and try again."""
        pause = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1
        self.degraded = f"{type(error).__name__}: {error}"[:200]
        logger.error("cannot write (%s), try again in %.2f s", self.degraded, pause)
        connection.close()
        with self._condition:
            self._queue = batch + self._queue
            self._condition.wait(pause)

    def _isolate_poison(self, batch: list[Outcome]) -> None:
        """One report that cannot be stored must not hold up the others: it fails its own task only."""
        told = log_ids(batch[0]) if len(batch) == 1 else {}
        logger.exception("a batch of %d reports cannot be stored", len(batch), extra=told)
        if self._mailbox is not None and self._mailbox.suspected:
            self._isolate_mail(batch)
        elif len(batch) > 1:
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
        message = "the end of an attempt cannot be stored: try again in %.0f s"
        logger.error(message, POSTPONE_S, extra=log_ids(outcome))
        self._seats.settle([outcome])
        self._postponed.append((monotonic() + POSTPONE_S, outcome))

    def _isolate_mail(self, batch: list[Outcome]) -> None:
        """First our own reports without those of workers, then the latter one by one."""
        assert self._mailbox is not None
        self._mailbox.suspect(closed=bool(batch))
        if batch:
            self._step(batch)
            self._mailbox.suspect(closed=False)
        self.poke()

    def _unknown(self, batch: list[Outcome]) -> list[Outcome]:
        """Reports for what the rows call ours and nobody runs: started by a commit whose answer got lost. Looked for
        after every failure, and by the sweep too: such a commit may come true only after one has looked."""
        told = [*batch, *(outcome for _, outcome in self._postponed)]
        return self._dispatcher.doubtful({(outcome.task_id, outcome.attempt) for outcome in told})
