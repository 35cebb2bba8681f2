"""Run trees without a server: for commands, benchmarks and the Python API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from asgiref.sync import sync_to_async

from orchestration.conf import Conf
from orchestration.domain.states import Status
from orchestration.engine.embedded import EmbeddedEngine
from orchestration.models import Run

Watch = Callable[[], Awaitable[None]]
POLL_S = 0.2
CHECK_S = 1.0


async def drive(
    start: Callable[[], Run], *, watch: Watch | None = None, config: Conf | None = None
) -> tuple[int, Status]:
    """Start an engine, let *start* start a run, and work until it has ended. Returns (run id, how it ended).

    *watch* is awaited a few times a second meanwhile. Raises EngineHeld when another engine has this data directory,
    and what *start* raises.
    """
    engine = EmbeddedEngine(config)
    await engine.start()
    try:
        run = await sync_to_async(start)()
        return run.pk, await wait_ended(engine, run.pk, watch)
    finally:
        await engine.stop()


async def wait_ended(engine: EmbeddedEngine, run_id: int, watch: Watch | None = None) -> Status:
    """How the run ended; waits for it."""
    ended = engine.ended(run_id)
    run = await Run.objects.aget(pk=run_id)  # it may have ended before anybody asked
    if not run.is_active:
        return Status(run.status)
    while not ended.done():
        await asyncio.wait([ended], timeout=POLL_S if watch else CHECK_S)
        if watch is not None:
            await watch()
        run = await Run.objects.aget(pk=run_id)  # a cancel may end a run that the engine has never seen
        if not run.is_active:
            return Status(run.status)
    return ended.result()


def drive_until_ended(start: Callable[[], Run], *, config: Conf | None = None) -> tuple[int, Status]:
    """`drive` for callers without an event loop."""
    return asyncio.run(drive(start, config=config))
