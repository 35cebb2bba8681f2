"""News for viewers: "run 17 has news", without data, at most 25 times a second per run. May be lost without harm.

The only user of the channel layer. Everything that a viewer shows is read from the rows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.db import connection, transaction

logger = logging.getLogger("apflow.publishing")

INTERVAL_S = 0.04
SEND_S = 1.0  # for the channel layer to take a nudge
NEWS = "apflow_news"  # PostgreSQL's channel by which engines and workers of other processes hear of it


def group_name(run_id: int) -> str:
    """The channel-layer group in which nudges about a run are sent."""
    return f"run.{run_id}"


class Publisher:
    """Collects nudges from any thread and sends them from the server's event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dirty: set[int] = set()
        self._sending: asyncio.Task[None] | None = None
        self._failing = False
        self._listeners: list[Callable[[], None]] = []

    @property
    def nudges_viewers(self) -> bool:
        """Whether viewers of this process hear of changes; else they have to look for themselves, often.

        They do when the engine works here, or when the channel layer reaches all processes.
        """
        return self._loop is not None or not isinstance(get_channel_layer(), InMemoryChannelLayer)

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send from *loop* from now on. Without one (tests, commands) nudges only reach the listeners."""
        self._loop = loop

    def unbind(self) -> None:
        """Stop sending: the loop is about to close."""
        self._loop = None

    def listen(self, callback: Callable[[], None]) -> None:
        """Call *callback* (from any thread, no arguments) whenever a run of this process has news: the engine's ear."""
        self._listeners.append(callback)

    def forget(self, callback: Callable[[], None]) -> None:
        """Undo `listen`."""
        self._listeners.remove(callback)

    def poke(self) -> None:
        """Tell the listeners."""
        for callback in list(self._listeners):
            callback()

    def send(self, run_ids: Iterable[int]) -> None:
        """Nudge the viewers of these runs. Safe from any thread; returns at once.

        Wakes the loop only for what is not about to be told anyway: such a nudge goes out after these news, too.
        """
        loop, ids = self._loop, set(run_ids)
        if self._sending is not None and not self._sending.done():
            ids -= self._dirty
        if loop is not None and ids and not loop.is_closed():
            loop.call_soon_threadsafe(self._mark, ids)

    def _mark(self, run_ids: set[int]) -> None:
        self._dirty |= run_ids
        if self._sending is None or self._sending.done():
            self._sending = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        layer = get_channel_layer()
        while self._dirty:
            ids, self._dirty = self._dirty, set()
            for run_id in ids:
                try:
                    message = {"type": "run.nudge", "run_id": run_id}
                    await asyncio.wait_for(layer.group_send(group_name(run_id), message), SEND_S)
                except Exception:
                    # a lost nudge costs a viewer some latency, never a change: readers poll underneath
                    if not self._failing:
                        logger.warning("nudges are not sent: viewers look for news themselves", exc_info=True)
                    self._failing = True
                    break
            else:
                self._failing = False
            await asyncio.sleep(INTERVAL_S)


publisher = Publisher()


def nudge(run_id: int) -> None:
    """Tell viewers, the engine and workers, once the current transaction has committed, that the run has news."""
    if connection.vendor == "postgresql":  # which tells nobody before the commit
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [NEWS])

    def tell() -> None:
        publisher.send([run_id])
        publisher.poke()

    transaction.on_commit(tell)
