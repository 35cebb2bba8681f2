"""Live news of runs: one reader per run and process feeds all who watch it.

The event table is the truth. A nudge on the channel layer only shortens the wait, and polling goes on underneath,
so that a lost nudge costs half a second and never a change.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer  # noqa: TID251  (only receives; sending is publishing's)
from django.db import DatabaseError

from orchestration.domain.states import Kind
from orchestration.models import Run
from orchestration.publishing import group_name, publisher
from orchestration.selectors.runs import events_after
from orchestration.selectors.sights import Sight, Watcher, sights
from orchestration.sharing import Fresh, Gathered, Once

logger = logging.getLogger("apflow.feeds")

FRAME_S = 0.1  # at most ten frames a second for people
STREAM_S = 0.04  # and 25 while only programs watch and news are heard of: for them nothing is drawn
POLL_S = 0.5  # longest wait for news of an active run
TAIL_S = 0.01  # the same when nobody nudges viewers here: the engine works in another process; FRAME_S comes on top
RETRY_S = 1.0  # until a channel layer that has failed is tried again
IDLE_S = 5.0  # the same for a run that has ended: only late results can come
GATHER_S = 0.25  # questions after rights that come within it are answered together
STORM = 100  # changes of states within one frame: nobody can follow that, so it rests, and shows more at once
STORM_S = 0.25
BREATH = 4.0  # after a frame that took t seconds to render, wait at least BREATH * t
type News = tuple[int, UUID | None, str]  # number, task, kind
ENDINGS = frozenset({Kind.RUN_COMPLETED, Kind.RUN_FAILED, Kind.RUN_CANCELLED})


@dataclass(eq=False)
class Frame:
    """What changed in a run after event *since*; whatever viewers make of it together is made once."""

    run_id: int
    since: int
    seq: int  # newest event in it
    changed: frozenset[UUID]
    ended: bool = False
    made: Once = field(default_factory=Once)

    async def once[T](self, key: str, make: Callable[[], Awaitable[T]]) -> T:
        """What *make* gives, called by the first viewer that asks for *key*. It must tell the run as it is at `seq` or
        later; where it depends on `changed` as well, `since` belongs into the key."""
        return await self.made.get(key, make)

    def joined(self, newer: Frame) -> Frame:
        """This frame and a *newer* one as one, for a viewer that fell behind. Viewers that are late share, too."""
        changed, ended = self.changed | newer.changed, self.ended or newer.ended
        return Frame(newer.run_id, self.since, newer.seq, changed, ended, newer.made)


class Subscription:
    """One viewer's mailbox: holds at most one frame, so a slow viewer costs no memory and misses nothing.

    *fresh*: for what all viewers of the run that ask now can get together. *sights*: whether they still see it.
    *drawn*: it is for people, who cannot follow more than some frames a second.
    """

    def __init__(self, fresh: Fresh, sights: Gathered[Watcher, Sight], *, drawn: bool) -> None:
        self.fresh = fresh
        self.sights = sights
        self.drawn = drawn
        self._frame: Frame | None = None
        self._filled = asyncio.Event()

    def put(self, frame: Frame) -> None:
        self._frame = self._frame.joined(frame) if self._frame else frame
        self._filled.set()

    async def next(self, timeout: float) -> Frame | None:
        """The next frame, or None when there was no news for *timeout* seconds."""
        try:
            await asyncio.wait_for(self._filled.wait(), timeout)
        except TimeoutError:
            return None
        frame, self._frame = self._frame, None
        self._filled.clear()
        return frame


class Feed:
    """Reads the events of one run and hands frames to its subscribers."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        self.subscriptions: set[Subscription] = set()
        self.loop = asyncio.get_running_loop()
        self.fresh = Fresh()
        self.sights = Gathered(self._sights, GATHER_S)
        self._news = asyncio.Event()
        self._hears = False  # whether nudges can come
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, seq: int, *, active: bool) -> None:
        """Begin to read after event *seq*."""
        self._tasks = [asyncio.create_task(self._read(seq, active=active)), asyncio.create_task(self._listen())]

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _read(self, cursor: int, *, active: bool) -> None:
        frame: Frame | None = None
        while True:
            await self._pause(frame, active=active)
            try:
                events = await self._events(cursor)
            except DatabaseError as error:
                logger.warning("events cannot be read: %s", type(error).__name__, extra={"run": self.run_id})
                continue
            if not events:
                continue
            since, cursor = cursor, events[-1][0]
            changed = frozenset(task for _, task, _ in events if task is not None)
            active = active and not _ended(events)
            frame = Frame(self.run_id, since, cursor, changed, ended=not active)
            for subscription in tuple(self.subscriptions):
                subscription.put(frame)

    async def _events(self, cursor: int) -> list[News]:
        events: list[News] = await database_sync_to_async(events_after)(self.run_id, cursor)
        changes = sum(kind != Kind.TASK_PROGRESS for *_, kind in events)
        if self._is_drawn and changes >= STORM and not _ended(events):
            await asyncio.sleep(STORM_S)
            events += await database_sync_to_async(events_after)(self.run_id, events[-1][0])
        return events

    async def _pause(self, frame: Frame | None, *, active: bool) -> None:
        least = STREAM_S if self._is_nudged and not self._is_drawn else FRAME_S
        await asyncio.sleep(max(least, BREATH * frame.made.cost_s if frame else 0.0))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), self._patience(active=active))
        self._news.clear()

    @property
    def _is_drawn(self) -> bool:
        return any(subscription.drawn for subscription in self.subscriptions)

    @property
    def _is_nudged(self) -> bool:
        return publisher.nudges_viewers and self._hears

    def _patience(self, *, active: bool) -> float:
        if not active:
            return IDLE_S
        return POLL_S if self._is_nudged else TAIL_S

    async def _sights(self, watchers: list[Watcher]) -> dict[Watcher, Sight]:
        found: dict[Watcher, Sight] = await database_sync_to_async(sights)(self.run_id, watchers)
        return found

    async def _listen(self) -> None:
        told = False
        while True:
            try:
                await self._hear()
            except Exception as error:  # noqa: BLE001  whatever the layer's client raises: the rows are read anyway
                if not told or self._hears:
                    logger.warning("no nudges: %s", type(error).__name__, extra={"run": self.run_id})
                told = True
            self._hears = False
            await asyncio.sleep(RETRY_S)

    async def _hear(self) -> None:
        layer = get_channel_layer()
        channel = await layer.new_channel("feed")
        await layer.group_add(group_name(self.run_id), channel)
        try:
            self._hears = True
            while True:
                await layer.receive(channel)
                self._news.set()
        finally:
            with contextlib.suppress(Exception):
                await layer.group_discard(group_name(self.run_id), channel)


def _ended(events: Iterable[News]) -> bool:
    return any(kind in ENDINGS for _, _, kind in events)


_feeds: dict[int, Feed] = {}


@contextlib.asynccontextmanager
async def subscribe(run_id: int, *, drawn: bool) -> AsyncIterator[Subscription]:
    """A subscription to run *run_id*: every event that is committed after this is in one of its frames. *drawn*: they
    are for people."""
    seq, status = await database_sync_to_async(_head)(run_id)
    feed = _feeds.get(run_id)
    if feed is None or feed.loop is not asyncio.get_running_loop():
        feed = _feeds[run_id] = Feed(run_id)
        feed.start(seq, active=status)
    subscription = Subscription(feed.fresh, feed.sights, drawn=drawn)
    feed.subscriptions.add(subscription)
    try:
        yield subscription
    finally:
        feed.subscriptions.discard(subscription)
        if not feed.subscriptions and _feeds.get(run_id) is feed:
            feed.stop()
            del _feeds[run_id]


def _head(run_id: int) -> tuple[int, bool]:
    run = Run.objects.only("seq", "status").get(pk=run_id)
    return run.seq, run.is_active
