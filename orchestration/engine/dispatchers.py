"""Where claimed attempts run: in this process, or with whichever worker process picks them up."""

from __future__ import annotations

from collections.abc import Collection
from time import monotonic

from django.db import connection

from orchestration.conf import Conf
from orchestration.domain.fleet import FleetSeats, Key, Post
from orchestration.domain.ready_queue import Rules, Slots
from orchestration.domain.work import ENGINE_LOST, Ending, Outcome
from orchestration.failpoints import failpoint
from orchestration.selectors.attempts import abandoned_attempts, live_attempts
from orchestration.services import workers
from orchestration.services.handing_out import Mailbox, fleet

REFRESH_S = 1.0  # how often the engine looks who is alive
PICK_UP_S = 10.0  # an attempt that no worker has picked up by then is given back


def rules_of(conf: Conf) -> Rules:
    """How ready tasks are ordered and bounded."""
    return Rules(conf.executor_limits, conf.ageing_s, conf.queues)


class EmbeddedDispatcher:
    """Attempts run in this process. Called by the writer's thread alone."""

    runs_here = True

    def __init__(self, worker: str, conf: Conf) -> None:
        self.worker = worker
        self.conf = conf
        self.seats = FleetSeats({worker: Post(Slots(conf.process_slots, conf.async_slots))})
        # workers may hold attempts of an engine before this one, and report them to us
        self.mailbox: Mailbox | None = None
        if connection.vendor == "postgresql":
            self.mailbox = Mailbox(worker, rules_of(conf), hands_out=not self.runs_here)
        self._beat_at = 0.0

    @property
    def holder(self) -> str:
        """Whom a started attempt belongs to."""
        return self.worker

    @property
    def lease_s(self) -> float:
        return self.conf.lease_s

    def recover(self) -> list[Outcome]:
        """Reports for what was in progress in the process of an engine that has ended."""
        return [
            Outcome(run_id, task_id, number, Ending.LOST, error="its engine ended", error_code=ENGINE_LOST)
            for run_id, task_id, number in abandoned_attempts(self.worker)
        ]

    def maintain(self) -> None:
        """Renew leases and the engine's own sign of life, when it is time to."""
        if monotonic() < self._beat_at:
            return
        if self.runs_here and len(self.seats):
            workers.renew_leases(self.worker, self.conf.lease_s)
        workers.beat(self.worker)
        failpoint("engine.heartbeat")
        if self.mailbox is not None:
            self.mailbox.compare_clocks()
        self._beat_at = monotonic() + self.conf.heartbeat_s

    def doubtful(self, known: Collection[Key]) -> list[Outcome]:
        """Reports for what was started by a commit whose answer got lost. Raises DatabaseError."""
        return [
            Outcome(run_id, task_id, number, Ending.LOST, error="its start was not confirmed", error_code=ENGINE_LOST)
            for run_id, task_id, number, _worker in live_attempts(worker=self.worker)
            if (task_id, number) not in self.seats and (task_id, number) not in known
        ]


class WorkerDispatcher(EmbeddedDispatcher):
    """Attempts run with workers, and never more than they have free slots: so priorities hold until the last moment."""

    runs_here = False

    def __init__(self, worker: str, conf: Conf) -> None:
        super().__init__(worker, conf)
        self.seats = FleetSeats()
        self._rules = rules_of(conf)
        self._refresh_at = 0.0

    @property
    def holder(self) -> str:
        return ""

    @property
    def lease_s(self) -> float:
        return min(PICK_UP_S, self.conf.lease_s)

    def maintain(self) -> None:
        super().maintain()
        if monotonic() >= self._refresh_at:
            self.seats.are(*fleet(self._rules))
            self._refresh_at = monotonic() + REFRESH_S

    def doubtful(self, known: Collection[Key]) -> list[Outcome]:
        self._refresh_at = 0.0  # its job was committed with it: only our book may be wrong
        return []
