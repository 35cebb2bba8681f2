"""An engine that leads, or waits until the one that leads has ended. Several processes may have one (PostgreSQL)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError

from orchestration.engine.embedded import EmbeddedEngine, EngineHeld

logger = logging.getLogger("apflow.engine")

RETRY_S = 1.0  # how soon it notices that nobody leads
WATCH_S = 1.0  # how often the leader looks whether it still is


class StandbyEngine:
    """Start and stop it like an engine. *make* gives a new one for each time that this process leads."""

    def __init__(self, make: Callable[[], EmbeddedEngine], say: Callable[[str], None]) -> None:
        self._make = make
        self._say = say
        self._engine: EmbeddedEngine | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, *, warm: bool = False) -> None:
        """Lead at once if nobody does, else stand by. Never raises EngineHeld."""
        held = await self._lead(warm=warm)
        if held is not None:
            self._say(f"Standing by: {held}")
        self._task = asyncio.create_task(self._keep_on(warm=warm))

    async def stop(self) -> None:
        """Stop the engine, or stop waiting."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._engine is not None:
            engine, self._engine = self._engine, None
            await engine.stop()

    async def _lead(self, *, warm: bool) -> EngineHeld | None:
        engine = self._make()
        try:
            await engine.start(warm=warm)
        except EngineHeld as held:
            return held
        self._engine = engine
        return None

    async def _keep_on(self, *, warm: bool) -> None:
        while True:
            try:
                if self._engine is None:
                    await asyncio.sleep(RETRY_S)
                    if await self._lead(warm=warm) is None:
                        self._say("This engine leads now.")
                else:
                    await asyncio.sleep(WATCH_S)
                    await self._resign_if_another_leads(self._engine)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("the database does not answer: %s", type(error).__name__)

    async def _resign_if_another_leads(self, engine: EmbeddedEngine) -> None:
        """The lock goes with its connection: when that breaks, take it again before somebody else does, or resign."""
        try:
            await engine.keep_lock()
        except EngineHeld as held:
            self._say(f"Resigned: {held}")
            self._engine = None
            await engine.resign()
