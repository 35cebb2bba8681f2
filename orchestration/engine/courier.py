"""A worker's thread for the database: reports out, jobs in, leases renewed, stop requests heard.

What ended while the previous commit ran is told, and its slots are filled again, in one transaction.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from time import monotonic

from django.db import connection, transaction

from orchestration.away import is_away
from orchestration.conf import Conf
from orchestration.domain.fleet import Key
from orchestration.domain.ready_queue import DEFAULT_QUEUE, Slots
from orchestration.domain.work import RELEASED, Ending, Outcome, Work
from orchestration.failpoints import failpoint
from orchestration.services import picking_up, workers

logger = logging.getLogger("apflow.worker")

CHECK_S = 0.5  # how often it looks for jobs nobody told it of, and for stop requests
BEAT_S = 2.0  # sign of life of the process
RETRY_S = (0.05, 0.2, 1.0, 2.0)  # pauses while the database does not answer


@dataclass(slots=True)
class Delivery:
    """What the event loop has to do."""

    works: list[Work] = field(default_factory=list)  # run these
    stops: set[Key] = field(default_factory=set)  # stop these: somebody asked, or they are not ours any more


class Courier(threading.Thread):
    """Owns the worker's connection. *deliver* is called in this thread."""

    def __init__(self, worker: str, conf: Conf, queues: Collection[str], deliver: Callable[[Delivery], None]) -> None:
        super().__init__(name="apflow-courier", daemon=True)
        self._worker = worker
        self._conf = conf
        self._deliver = deliver
        self._queues = sorted(queues or {DEFAULT_QUEUE, *conf.queues.values()})
        self._condition = threading.Condition()
        self._stepping = threading.Lock()  # held from taking until its delivery
        self._outcomes: list[Outcome] = []
        self._poked = True
        self._taking = True
        self._ending = False
        self._held: dict[Key, bool] = {}  # attempts that are ours -> isolated
        self._told: set[Key] = set()  # reported, and not known to be taken in by the engine yet
        self._abandoned: set[Key] = set()
        self._look_at = self._beat_at = self._renew_at = 0.0
        self._failures = 0
        self.renewed_at = monotonic()  # when the leases were surely good for another lease_s

    # -- called from other threads ---------------------------------------------------------------------------------

    def put(self, *outcomes: Outcome) -> None:
        """Queue reports for the next commit."""
        if outcomes:
            with self._condition:
                self._outcomes += outcomes
                self._condition.notify()

    def poke(self) -> None:
        """There may be jobs, or stop requests."""
        with self._condition:
            self._poked = True
            self._condition.notify()

    def stop_taking(self) -> None:
        """Take no more jobs. When this returns, everything that was taken has been delivered."""
        with self._stepping:
            self._taking = False

    def abandon(self, keys: Collection[Key]) -> None:
        """These may not be ours any more: what they report is dropped. Never waits for the database."""
        with self._condition:
            self._abandoned.update(keys)

    def end(self) -> None:
        """Tell what is queued, then end the thread."""
        with self._condition:
            self._ending = True
            self._condition.notify()

    # -- the thread ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            while self._wait():
                try:
                    self._step()
                except Exception as error:
                    if is_away(error):
                        logger.error("the database does not answer (%s)", type(error).__name__)
                    else:
                        logger.exception("a step of the worker failed")
                    self._pause()
        finally:
            connection.close()

    def _wait(self) -> bool:
        with self._condition:
            if not self._outcomes and not self._poked and not self._ending:
                self._condition.wait(max(0.0, self._look_at - monotonic()))
            self._poked = False
            return not self._ending or bool(self._outcomes)

    def _step(self) -> None:
        with self._stepping:
            with self._condition:
                told = list(self._outcomes)
                for key in self._abandoned:
                    self._held.pop(key, None)
                self._abandoned.clear()
            mine = [outcome for outcome in told if (outcome.task_id, outcome.attempt) in self._held]
            started = monotonic()
            free = self._free_after(mine)
            picked = self._commit(mine, free) if mine or self._may_take(free) else picking_up.Picked()
            self._account(told, mine, picked)
            if picked.works:  # before anything else can fail: they count as held, and nobody would begin them
                self._deliver(Delivery(works=picked.works))
            if stops := self._keep(started):
                self._deliver(Delivery(stops=stops))
        self._failures = 0

    def _free_after(self, outcomes: list[Outcome]) -> Slots:
        ended = {(outcome.task_id, outcome.attempt) for outcome in outcomes if outcome.ends}
        isolated = [kind for key, kind in self._held.items() if key not in ended]
        return Slots(self._conf.process_slots - sum(isolated), self._conf.async_slots - len(isolated) + sum(isolated))

    def _may_take(self, free: Slots) -> bool:
        """Whether there is a job to ask for. One that comes later brings a notice, and CHECK_S sees to a lost one."""
        return self._taking and not self._ending and picking_up.are_waiting(self._queues, free)

    def _commit(self, mine: list[Outcome], free: Slots) -> picking_up.Picked:
        with transaction.atomic(durable=True):
            if mine:
                picking_up.report(mine, self._worker)
                failpoint("worker.report")
            picked = self._take(free)
            if picked.works:
                failpoint("worker.pick_up")
        failpoint("worker.committed")
        return picked

    def _take(self, free: Slots) -> picking_up.Picked:
        keys = picking_up.fetch(self._queues, free) if self._taking and not self._ending else []
        return picking_up.pick_up(
            keys, self._worker, lease_s=self._conf.lease_s, default_timeout_s=self._conf.default_timeout_s
        )

    def _account(self, told: list[Outcome], mine: list[Outcome], picked: picking_up.Picked) -> None:
        for outcome in mine:
            if outcome.ends:
                self._held.pop((outcome.task_id, outcome.attempt), None)
                self._told.add((outcome.task_id, outcome.attempt))
        for work in (*picked.works, *picked.stopped):
            self._held[work.key] = work.isolated
        for refused in picked.refused:
            self._held[refused.task_id, refused.attempt] = False
        with self._condition:
            del self._outcomes[: len(told)]
            self._outcomes += picked.refused
            for work in picked.stopped:
                text = "stopped before it began"
                self._outcomes.append(Outcome(work.run_id, work.task_id, work.attempt, Ending.CANCELLED, error=text))

    def _keep(self, now: float) -> set[Key]:
        """What is due: leases, sign of life, a look at the rows of what is held. What is to be stopped."""
        if now >= self._renew_at:
            if self._held:
                picking_up.renew(self._worker, self._conf.lease_s)
                failpoint("worker.renew")
            self.renewed_at = now
            self._renew_at = now + min(self._conf.heartbeat_s, self._conf.lease_s / 3)
        if now >= self._beat_at:
            workers.beat(self._worker)
            self._beat_at = now + min(BEAT_S, self._conf.heartbeat_s)
        if now >= self._look_at:
            self._look_at = now + CHECK_S
            if self._held or self._told or self._failures:
                return self._compare(picking_up.standing(self._worker))
        return set()

    def _compare(self, rows: picking_up.Standing) -> set[Key]:
        """What the rows say with what is held here: what is to be stopped."""
        stops = (rows.stopping & self._held.keys()) | (self._held.keys() - rows.held.keys())
        self._told &= rows.held.keys()
        text = "given back: its start was not confirmed"
        with self._condition:
            for task_id, number in rows.held.keys() - self._held.keys() - self._told:
                # picked up by a commit whose answer got lost, or abandoned: nobody runs it
                self._held[task_id, number] = False
                run_id = rows.held[task_id, number]
                lost = Outcome(run_id, task_id, number, Ending.RELEASED, error=text, error_code=RELEASED)
                self._outcomes.append(lost)
        return stops

    def _pause(self) -> None:
        connection.close()
        pause = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1
        self._look_at = 0.0  # what a commit whose answer got lost has picked up must not wait for its lease to run out
        with self._condition:
            self._condition.wait(pause)
            self._poked = True
