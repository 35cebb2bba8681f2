"""The socket of the run page: a snapshot at every connect, then what changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from dashboard import live
from dashboard.contexts.runs import Rights
from dashboard.forms import window_of
from orchestration import consumers, streams
from orchestration.consumers import TOO_SLOW, TooSlow
from orchestration.feeds import Frame, Subscription, subscribe
from orchestration.models import Run
from orchestration.rechecks import Recheck
from orchestration.selectors.run_rows import Window
from orchestration.selectors.sights import Sight, sights

logger = logging.getLogger("apflow.pages")

ROW_S = 0.0008  # pause for each row of a morph of all rows: the browser has to draw them
BROKEN = 1011  # the page reconnects on this
NOT_SIGNED_IN = 4403  # codes that the page does not reconnect on
NOT_FOUND = 4404


class RunPageConsumer(AsyncWebsocketConsumer):
    """Pushes fragments of one run to one page.

    At most one frame waits per page. A page that does not take it for 10 seconds is closed with 4408; its script comes
    back and gets a snapshot.
    """

    channel_layer_alias = "none"  # feeds listen to the layer; a socket must open without it, too

    async def connect(self) -> None:
        # a refusal before accept looks like a broken network in the browser, which would try again for ever
        await self.accept()
        self._worker: asyncio.Task[None] | None = None
        self._run_id = int(self.scope["url_route"]["kwargs"]["run_id"])
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(NOT_SIGNED_IN)
            return
        self._watcher = streams.watcher_of(user, self.scope.get("session"))
        found = await database_sync_to_async(sights)(self._run_id, [self._watcher])
        if not await self._stays(found[self._watcher]):
            return
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        self._window: Window = window_of({key: values[0] for key, values in query.items()})
        self._worker = asyncio.create_task(self._serve())

    async def disconnect(self, code: int) -> None:
        if self._worker is not None and self._worker is not asyncio.current_task():
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker

    async def _serve(self) -> None:
        try:
            async with subscribe(self._run_id, drawn=True) as news:
                await self._follow(news)
        except Run.DoesNotExist:
            await self.close(NOT_FOUND)
        except TooSlow:
            logger.info("a page does not read: closed with %s", TOO_SLOW, extra={"run": self._run_id})
            await self.close(TOO_SLOW)
        except Exception:
            logger.exception("the page of run %s gets no news", self._run_id, extra={"run": self._run_id})
            await self.close(BROKEN)

    async def _follow(self, news: Subscription) -> None:
        await self._snapshot(news)
        with Recheck(lambda: news.sights.ask(self._watcher), streams.RECHECK_S) as recheck:
            while True:
                frame = await news.next(timeout=recheck.patience)
                sight = recheck.answer()
                if sight is not None and not await self._stays(sight):
                    return
                if frame is not None:
                    await self._show(frame, news)
                elif sight is None:
                    await self._tell(json.dumps({"alive": self._seq}))

    async def _show(self, frame: Frame, news: Subscription) -> None:
        if frame.ended:
            await self._snapshot(news)
        elif frame.seq > self._seq:
            await self._push(frame)

    async def _stays(self, sight: Sight) -> bool:
        """False for who may not watch (any more): closed. Effects: remembers what the user may do with the run."""
        self._rights = Rights(sight.run, sight.cancel)
        if not sight.read:
            await self.close(NOT_FOUND if sight.signed_in else NOT_SIGNED_IN)
        return sight.read

    async def _tell(self, text: str) -> None:
        """Raises TooSlow when the other side does not take it."""
        try:
            async with asyncio.timeout(consumers.SEND_TIMEOUT_S):
                await self.send(text)
        except TimeoutError:
            raise TooSlow from None

    async def _snapshot(self, news: Subscription) -> None:
        rights, window = self._rights, self._window
        shot: live.Snapshot = await news.fresh.get(
            ("snapshot", window, rights),
            lambda: database_sync_to_async(live.snapshot)(self._run_id, window, rights=rights),
        )
        self._seq, self._ids = shot.seq, shot.ids
        await self._tell(shot.html)

    async def _around(self, frame: Frame) -> tuple[Run, str]:
        """The run, and its header and buttons as partials."""
        run: Run = await frame.once("run", lambda: database_sync_to_async(live.load_run)(self._run_id))
        rights = self._rights
        head = await frame.once("head", lambda: database_sync_to_async(live.head_html)(run))
        actions = await frame.once(
            f"actions {rights}", lambda: database_sync_to_async(live.actions_html)(run, rights=rights)
        )
        return run, head + actions

    async def _push(self, frame: Frame) -> None:
        self._seq = frame.seq
        run, around = await self._around(frame)
        change = await frame.once(
            f"rows {self._window} {frame.since}",
            lambda: database_sync_to_async(live.changed_html)(run, self._window, frame.changed, self._ids),
        )
        await self._tell(around + change.html)
        if change.whole:
            await asyncio.sleep(ROW_S * len(self._ids))  # what happens meanwhile is in the next frame
