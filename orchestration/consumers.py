"""The JSON event stream of a run over a WebSocket, for programs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from types import SimpleNamespace
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from orchestration.domain.errors import Invalid, NotFound
from orchestration.selectors.access import run_for_read, watching
from orchestration.services import audit, throttle
from orchestration.streams import AccessLost, Told, clean_seq, follow, watcher_of

logger = logging.getLogger("apflow.streams")

SEND_TIMEOUT_S = 10.0  # a socket that takes nothing for so long is given up

DONE = 1000
TOO_BIG = 1009  # closed so, for any socket, by apflow_site/sockets.py
BAD_REQUEST = 4400
NOT_SIGNED_IN = 4401
NOT_ALLOWED = 4403  # any more
NOT_FOUND = 4404
TOO_SLOW = 4408


class TooSlow(Exception):
    """The other side does not read."""


class RunEventConsumer(AsyncWebsocketConsumer):
    """Sends {"events": [...]}, at most 100 each, from event `after` + 1 to the run's last, then closes with 1000.

    The rows are the queue: one batch at most is in memory per socket. A socket that does not take it for 10 seconds is
    told {"resync": seq} and closed with 4408; it can come back with after=seq.
    """

    channel_layer_alias = "none"  # feeds listen to the layer; a socket must open without it, too

    async def connect(self) -> None:
        # a refusal before accept reaches a browser as a broken network
        await self.accept()
        self._worker: asyncio.Task[None] | None = None
        self._run_id = int(self.scope["url_route"]["kwargs"]["run_id"])
        self._user = self.scope.get("user")
        if self._user is None or not self._user.is_authenticated:
            await self.close(NOT_SIGNED_IN)
            return
        try:
            query = parse_qs(self.scope["query_string"].decode("latin-1"))
            self._seq = clean_seq(query.get("after", [""])[-1], "after")
            await database_sync_to_async(self._enter)()
        except Invalid:
            await self.close(BAD_REQUEST)
        except NotFound:
            await self.close(NOT_FOUND)
        else:
            self._worker = asyncio.create_task(self._serve())

    async def disconnect(self, code: int) -> None:
        if self._worker is not None and self._worker is not asyncio.current_task():
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker

    async def _serve(self) -> None:
        try:
            watcher = watcher_of(self._user, self.scope.get("session"))
            async with contextlib.aclosing(follow(self._run_id, self._seq, watcher)) as pages:
                async for told in pages:
                    await self._send_events(told)
            await self.close(DONE)
        except NotFound:
            await self.close(NOT_FOUND)
        except AccessLost:
            await self.close(NOT_ALLOWED)
        except TooSlow:
            await self._give_up()

    async def _send_events(self, told: Told) -> None:
        for text, seq in told.frames:
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self.send(text)
            except TimeoutError:
                raise TooSlow from None
            self._seq = seq

    async def _give_up(self) -> None:
        logger.info("a viewer does not read: closed with %s", TOO_SLOW, extra={"run": self._run_id})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self.send(json.dumps({"resync": self._seq}))
        await self.close(TOO_SLOW)

    def _enter(self) -> None:
        """Raises NotFound. Effects: audit entries of a refusal, and of staff that looks at somebody else's run."""
        headers = {name: value.decode("latin-1") for name, value in self.scope["headers"]}
        told = {"REMOTE_ADDR": (self.scope.get("client") or [""])[0]}
        told["HTTP_X_FORWARDED_FOR"] = headers.get(b"x-forwarded-for", "")
        origin = audit.Origin(throttle.client_address(SimpleNamespace(META=told)), door="socket")
        with audit.during(origin), watching() as seen:
            try:
                run_for_read(self._user, self._run_id)
            except NotFound as error:
                audit.refused(user=self._user, target=f"socket {self.scope['path']}", code=error.code)
                raise
            audit.staff_views(seen.values())
