"""Daphne and the engine in one event loop: one process serves pages and sockets and runs tasks."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Protocol

import daphne.server  # noqa: F401  installs the asyncio reactor, so it comes before twisted.internet.reactor
from twisted.internet import defer
from twisted.internet import reactor as twisted_reactor

from orchestration.engine.bounds import BoundedServer

log = logging.getLogger("apflow.server")
reactor: Any = twisted_reactor  # a module to the type checker

MAX_MESSAGE_BYTES = 4 * 1024 * 1024  # to a viewer: a window of 500 rows is 400 kB; what viewers may say is in bounds.py
WATCH_S = 1.0
HANDSHAKE_S = 30  # until a socket is answered: after a restart all viewers come back at once, and wait their turn
STOP_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP")


class Engine(Protocol):
    """What the server needs of an engine."""

    async def start(self, *, warm: bool = False) -> None: ...

    async def stop(self) -> None: ...


class DatabaseFileLost(Exception):
    """What *watch* has found: going on would only look as if it worked."""


class EngineServer(BoundedServer):
    """Serves until a stop signal; the engine starts once the port is open, and stops before the loop ends.

    *failure* is set when the port can't be opened or the engine doesn't start; `run` then returns at once.
    The first stop signal ends gracefully, the second at once. *watch*: asked every second; a text of it is a *failure*.
    """

    def __init__(
        self,
        *args: Any,
        engine: Engine | None,
        announce: Callable[[], None],
        watch: Callable[[], str] = str,
        **options: Any,
    ) -> None:
        options.setdefault("websocket_max_message_size", MAX_MESSAGE_BYTES)
        options.setdefault("websocket_max_frame_size", MAX_MESSAGE_BYTES)
        options.setdefault("websocket_handshake_timeout", HANDSHAKE_S)
        options.setdefault("websocket_connect_timeout", HANDSHAKE_S)
        super().__init__(*args, signal_handlers=False, **options)
        self.engine = engine
        self.announce = announce
        self.watch = watch
        self.failure: BaseException | None = None
        self._starting: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._stopping = False

    def run(self) -> None:
        for name in STOP_SIGNALS:
            if hasattr(signal, name):  # Windows has no SIGHUP
                signal.signal(getattr(signal, name), self._on_signal)
        # one turn later: only then does the loop run
        reactor.callWhenRunning(reactor.callLater, 0, self._begin)
        reactor.addSystemEventTrigger("before", "shutdown", self._end)
        super().run()

    def listen_error(self, failure: Any) -> None:
        self.failure = failure.value
        self.stop()

    def kill_all_applications(self) -> Any:
        """Cancel what is still being answered; Daphne's own fails on a kept-alive connection between two requests."""
        running = [details.get("application_instance") for details in self.connections.values()]
        futures = [future for future in running if future is not None and not future.done()]
        for future in futures:
            future.cancel()
        return defer.Deferred.fromFuture(asyncio.ensure_future(_all_ended(futures)))

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._stopping = True
        reactor.callFromThread(self.stop)

    def _begin(self) -> None:
        self._starting = asyncio.ensure_future(self._start_engine())
        self._watching = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        while not (lost := await asyncio.to_thread(self.watch)):
            await asyncio.sleep(WATCH_S)
        log.critical(lost)
        self.failure = DatabaseFileLost(lost)
        if not self._stopping:
            self._stopping = True
            self.stop()

    async def _start_engine(self) -> None:
        try:
            if self.engine is not None:
                await self.engine.start(warm=True)
        except Exception as error:  # noqa: BLE001  (whatever it is, the command reports it and exits)
            self.engine = None
            self.failure = error
            self.stop()
        else:
            self.announce()

    def _end(self) -> Any:
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._stop_engine()))

    async def _stop_engine(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        if self._starting is not None:
            await _all_ended([self._starting])
        if self.engine is not None:
            await _logged(self.engine.stop())


async def _all_ended(futures: list[Any]) -> None:
    await asyncio.gather(*futures, return_exceptions=True)


async def _logged(stopping: Coroutine[Any, Any, None]) -> None:
    try:
        await stopping
    except Exception:
        log.exception("the engine did not stop cleanly")
