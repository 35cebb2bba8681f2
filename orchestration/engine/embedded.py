"""The engine inside a process: a thread that commits, a lock against a second one, and the attempts it runs itself."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError, connection

from orchestration.conf import Conf, conf
from orchestration.domain.states import Status
from orchestration.domain.work import Outcome
from orchestration.engine import here
from orchestration.engine.dispatchers import EmbeddedDispatcher, WorkerDispatcher
from orchestration.engine.listener import Listener
from orchestration.engine.local import LocalAttempts
from orchestration.engine.lock import EngineHeld, EngineLock
from orchestration.engine.memory import calm_collector
from orchestration.engine.webhooks import WebhookPump
from orchestration.engine.writer import Writer
from orchestration.failpoints import failpoint
from orchestration.publishing import publisher
from orchestration.services import workers
from orchestration.services.notices import NEWS, REPORTS
from orchestration.services.transitions import Applied

__all__ = ["EmbeddedEngine", "EngineHeld"]

logger = logging.getLogger("apflow.engine")


class EmbeddedEngine:
    """Start it in a running loop; it takes over what a dead predecessor held and then works until `stop`.

    *hands_out*: it runs no attempt itself, but leaves them to worker processes (PostgreSQL).
    """

    def __init__(self, config: Conf | None = None, *, directory: Path | None = None, hands_out: bool = False) -> None:
        self.conf = config or conf()
        self.hands_out = hands_out
        self.worker = workers.new_worker_id()
        self._lock = EngineLock(directory or settings.DATA_DIR, self.conf.lease_s)
        self._local = LocalAttempts(self.conf, self._report)
        self._waiters: dict[int, list[asyncio.Future[Status]]] = {}
        self._webhooks: WebhookPump
        self._listener: Listener | None = None
        self._loop: asyncio.AbstractEventLoop
        self._writer: Writer

    @property
    def degraded(self) -> str:
        """Why the engine cannot write at the moment; empty when all is well."""
        return self._writer.degraded

    @property
    def waits_for_database(self) -> bool:
        """Whether nothing can be written at the moment."""
        return self._writer.waits_for_database

    async def start(self, *, warm: bool = False) -> None:
        """Begin to work. *warm*: start the process for isolated executors now, not at their first attempt.

        Raises EngineHeld when another engine works on the same database.
        """
        await sync_to_async(self._lock.acquire)()
        try:
            await database_sync_to_async(workers.register)(self.worker, self.conf, hands_out=self.hands_out)
        except BaseException:
            await sync_to_async(self._lock.release)()
            raise
        calm_collector()
        self._loop = asyncio.get_running_loop()
        dispatcher = (WorkerDispatcher if self.hands_out else EmbeddedDispatcher)(self.worker, self.conf)
        self._writer = Writer(dispatcher, self.conf, self._deliver)
        publisher.bind(self._loop)
        publisher.listen(self._writer.poke)
        self._writer.start()
        here.works(self)
        self._webhooks = WebhookPump()
        self._webhooks.start()
        if connection.vendor == "postgresql":
            self._listener = Listener([NEWS, REPORTS], self._writer.poke)
            self._listener.start()
        self._local.open(warm=warm and not self.hands_out)

    async def keep_lock(self) -> None:
        """See that the lock is still ours. Raises EngineHeld when it got lost and another engine has it by now."""
        await sync_to_async(self._lock.keep)()

    async def resign(self) -> None:
        """Stop at once: another engine leads, and has taken over what runs here."""
        await self.stop(grace_s=0.0)

    async def stop(self, *, grace_s: float | None = None) -> None:
        """Start nothing more, give running attempts *grace_s* (default: `shutdown_s`) to end, give back the rest,
        release everything.

        What worker processes run goes on: another engine takes in what they report.
        """
        await asyncio.to_thread(self._writer.stop_claiming)
        failpoint("engine.stop")
        publisher.forget(self._writer.poke)
        await self._local.finish(self.conf.shutdown_s if grace_s is None else grace_s)
        self._writer.end()
        told = await asyncio.to_thread(self._writer.ended)
        here.ended(self)
        if self._listener is not None:
            await asyncio.to_thread(self._listener.end)
        await asyncio.to_thread(self._webhooks.finish)
        await self._local.close()
        publisher.unbind()
        if told:
            await database_sync_to_async(self._leave)()
        failpoint("engine.stopped")
        await sync_to_async(self._lock.release)()

    def _leave(self) -> None:
        try:
            workers.leave(self.worker)
        except DatabaseError as error:
            logger.warning("not signed off: %s", type(error).__name__)  # its silence says the same, only later

    def ended(self, run_id: int) -> asyncio.Future[Status]:
        """A future with the status that the run ends in; ask before the run is started."""
        future = self._loop.create_future()
        self._waiters.setdefault(run_id, []).append(future)
        return future

    def _report(self, *outcomes: Outcome) -> None:
        self._writer.put(*outcomes)

    # -- from the writer thread ------------------------------------------------------------------------------------

    def _deliver(self, applied: Applied) -> None:
        if (applied.works or applied.stops or applied.ended) and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, applied)

    # -- in the loop -----------------------------------------------------------------------------------------------

    def _take(self, applied: Applied) -> None:
        if not self.hands_out:
            self._local.begin(applied.works)
            self._local.stop(applied.stops)
        for run_id, status in applied.ended:
            for future in self._waiters.pop(run_id, ()):
                if not future.done():
                    future.set_result(status)
