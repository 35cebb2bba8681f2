"""The socket of the run page: a snapshot at every connect, then what changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from dashboard import live
from dashboard.contexts.runs import rights_on
from dashboard.forms import window_of
from orchestration import streams
from orchestration.feeds import Frame, Subscription, subscribe
from orchestration.models import Run
from orchestration.selectors.access import runs_for_read
from orchestration.selectors.run_rows import Window

logger = logging.getLogger("apflow.pages")

ROW_S = 0.0008  # pause for each row of a morph of all rows: the browser has to draw them
BROKEN = 1011  # the page reconnects on this
NOT_SIGNED_IN = 4403  # codes that the page does not reconnect on
NOT_FOUND = 4404


class RunPageConsumer(AsyncWebsocketConsumer):
    """Pushes fragments of one run to one page."""

    channel_layer_alias = "none"  # feeds listen to the layer; a socket must open without it, too

    async def connect(self) -> None:
        # a refusal before accept looks like a broken network in the browser, which would try again for ever
        await self.accept()
        self._worker: asyncio.Task[None] | None = None
        self._run_id = int(self.scope["url_route"]["kwargs"]["run_id"])
        code = await database_sync_to_async(self._refusal)()
        if code:
            await self.close(code)
            return
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        self._window: Window = window_of({key: values[0] for key, values in query.items()})
        self._worker = asyncio.create_task(self._serve())

    async def disconnect(self, code: int) -> None:
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker

    async def _serve(self) -> None:
        try:
            async with subscribe(self._run_id) as news:
                await self._follow(news)
        except Run.DoesNotExist:
            await self.close(NOT_FOUND)
        except Exception:
            logger.exception("the page of run %s gets no news", self._run_id, extra={"run": self._run_id})
            await self.close(BROKEN)

    async def _follow(self, news: Subscription) -> None:
        await self._snapshot()
        checked = time.monotonic()
        while True:
            frame = await news.next(timeout=max(0.0, checked + streams.RECHECK_S - time.monotonic()))
            if time.monotonic() - checked >= streams.RECHECK_S:
                checked = time.monotonic()
                code = await database_sync_to_async(self._refusal)()
                if code:
                    await self.close(code)
                    return
            if frame is None:
                await self.send(json.dumps({"alive": self._seq}))
            elif frame.ended:
                await self._snapshot()
            elif frame.seq > self._seq:
                await self._push(frame)

    async def _snapshot(self) -> None:
        shot = await database_sync_to_async(live.snapshot)(self._run_id, self._window, rights=self._rights)
        self._seq, self._ids = shot.seq, shot.ids
        await self.send(shot.html)

    async def _push(self, frame: Frame) -> None:
        self._seq = frame.seq
        run: Run = await frame.once("run", lambda: database_sync_to_async(live.load_run)(self._run_id))
        parts = [
            await frame.once("head", lambda: database_sync_to_async(live.head_html)(run)),
            await frame.once(
                f"actions {self._rights}",
                lambda: database_sync_to_async(live.actions_html)(run, rights=self._rights),
            ),
        ]
        change = await frame.once(
            f"rows {self._window}",
            lambda: database_sync_to_async(live.changed_html)(run, self._window, frame.changed, self._ids),
        )
        await self.send("".join([*parts, change.html]))
        if change.whole:
            await asyncio.sleep(ROW_S * len(self._ids))  # what happens meanwhile is in the next frame

    def _refusal(self) -> int:
        """The code to close with, or 0. Effects: remembers what the user may do with the tree."""
        user = streams.signed_in(self.scope["user"], self.scope.get("session"))
        if user is None:
            return NOT_SIGNED_IN
        run = runs_for_read(user).filter(pk=self._run_id).first()
        if run is None:
            return NOT_FOUND
        self._rights = rights_on(user, run.tree_id)
        return 0
