"""Somebody must do the work: an engine of this process, shared by all who wait, or that of a running server."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async

from orchestration.conf import Conf
from orchestration.domain.states import Status
from orchestration.engine.embedded import EmbeddedEngine, EngineHeld
from orchestration.selectors.events import events_page, run_is_active

FOLLOW_S = 0.1  # how often events are read while they are followed
CHECK_S = 2.0  # how often the run's row is looked at although the engine would have told of its end
ELSEWHERE_S = 0.2  # the same while the engine of another process does the work
RETRY_S = 2.0  # how often we try to take over from an engine that may have ended


class Home:
    """The engine of one event loop: started by the first who needs it, stopped by the last."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._users = 0
        self._engine: EmbeddedEngine | None = None
        self._ends: dict[int, asyncio.Future[Status]] = {}
        self._tried = 0.0

    @contextlib.asynccontextmanager
    async def at_work(self, config: Conf | None) -> AsyncGenerator[Home]:
        """While this is open, this process works on runs, or another one does."""
        self._users += 1
        try:
            await self._try_start(config)
            yield self
        finally:
            self._users -= 1
            await self._stop_if_idle()

    async def pause(self, run_id: int, seconds: float, config: Conf | None) -> None:
        """Wait for the end of the run, at most so long."""
        if self._engine is None:
            await asyncio.sleep(min(seconds, ELSEWHERE_S))
            if time.monotonic() - self._tried >= RETRY_S:
                await self._try_start(config)
        else:
            if run_id not in self._ends:
                self._ends[run_id] = self._engine.ended(run_id)
                seconds = 0.0  # it may have ended before we asked
            await asyncio.wait([self._ends[run_id]], timeout=seconds)
            if self._ends[run_id].done():
                del self._ends[run_id]

    async def _try_start(self, config: Conf | None) -> None:
        async with self._lock:
            self._tried = time.monotonic()
            if self._engine is None:
                engine = EmbeddedEngine(config)
                with contextlib.suppress(EngineHeld):
                    await engine.start()
                    self._engine = engine

    async def _stop_if_idle(self) -> None:
        async with self._lock:
            if not self._users and self._engine is not None:
                engine, self._engine = self._engine, None
                self._ends.clear()
                await engine.stop()


_homes: WeakKeyDictionary[asyncio.AbstractEventLoop, Home] = WeakKeyDictionary()


def home() -> Home:
    """The one of the running loop."""
    return _homes.setdefault(asyncio.get_running_loop(), Home())


async def wait_for(run_id: int, config: Conf | None) -> None:
    """Return when the run has ended."""
    async with home().at_work(config) as here:
        while await sync_to_async(run_is_active)(run_id):
            await here.pause(run_id, CHECK_S, config)


async def follow(run_id: int, config: Conf | None) -> AsyncGenerator[dict[str, Any]]:
    """The run's events from the first to the last, each once, as they are committed."""
    seq = 0
    async with home().at_work(config) as here:
        while True:
            page = await sync_to_async(events_page)(run_id, seq)
            for event in page.events:
                seq = event["seq"]
                yield event
            if page.ended:
                return
            if not page.more:
                await here.pause(run_id, FOLLOW_S, config)
