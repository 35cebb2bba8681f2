"""A worker process: runs attempts that the engine hands out, on any machine that reaches the database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection
from time import monotonic

from asgiref.sync import sync_to_async

from orchestration.conf import Conf
from orchestration.domain.states import WorkerKind
from orchestration.engine.courier import Courier, Delivery
from orchestration.engine.listener import Listener
from orchestration.engine.local import LocalAttempts
from orchestration.engine.memory import calm_collector
from orchestration.failpoints import failpoint
from orchestration.services import workers
from orchestration.services.notices import JOBS, NEWS, announce

logger = logging.getLogger("apflow.worker")

UNSURE = 2 / 3  # of a lease without a renewal: stop before somebody else gets the work
WATCH_S = 0.5
LAST_WORDS_S = 10.0  # for the last reports, when the database does not answer


class WorkerProcess:
    """Start it in a running loop; it works until `stop`."""

    def __init__(self, config: Conf, queues: Collection[str] = ()) -> None:
        self.conf = config
        self.queues = frozenset(queues)
        self.worker = workers.new_worker_id()
        self._courier = Courier(self.worker, config, self.queues, self._deliver)
        self._local = LocalAttempts(config, self._courier.put)
        self._listener = Listener([JOBS, NEWS], self._courier.poke)
        self._loop: asyncio.AbstractEventLoop
        self._watch: asyncio.Task[None]

    async def start(self) -> None:
        """Say that there is a worker, and begin."""
        calm_collector()
        self._loop = asyncio.get_running_loop()
        self._local.open(warm=True)
        await sync_to_async(self._register)()
        self._courier.start()
        self._listener.start()
        self._watch = asyncio.create_task(self._watch_leases())

    async def stop(self) -> None:
        """Take nothing more, give what runs `shutdown_s` to end, give back the rest, sign off."""
        await asyncio.to_thread(self._courier.stop_taking)
        failpoint("worker.stop")
        await self._local.finish(self.conf.shutdown_s)
        self._courier.end()
        await asyncio.to_thread(self._courier.join, LAST_WORDS_S)
        await asyncio.to_thread(self._listener.end)
        self._watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watch
        await self._local.close()
        await sync_to_async(workers.leave)(self.worker)

    def _register(self) -> None:
        workers.register(self.worker, self.conf, kind=WorkerKind.WORKER, queues=self.queues)
        announce()

    def _deliver(self, delivery: Delivery) -> None:  # in the courier's thread
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, delivery)

    def _take(self, delivery: Delivery) -> None:
        self._local.begin(delivery.works)
        self._local.stop(delivery.stops)

    async def _watch_leases(self) -> None:
        """Stop everything before its lease can be given away: here and not in the thread, which may hang."""
        while True:
            await asyncio.sleep(WATCH_S)
            if self._local.keys and monotonic() - self._courier.renewed_at > UNSURE * self.conf.lease_s:
                logger.error("leases cannot be renewed: stopping %d attempts", len(self._local.keys))
                self._courier.abandon(self._local.keys)
                self._local.stop(self._local.keys)
