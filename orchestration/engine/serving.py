"""A process without pages: works until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
from types import FrameType
from typing import Protocol

STOP_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP")


class Process(Protocol):
    """What is started and stopped."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


async def serve(process: Process) -> None:
    """Work until a stop signal, then stop in good order; a second signal ends the process at once."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stopping.is_set():
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        stopping.set()
        loop.call_soon_threadsafe(stopping.set)  # wakes the loop

    for name in STOP_SIGNALS:
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), on_signal)
    await process.start()
    try:
        await stopping.wait()
    finally:
        await process.stop()
