"""The engine inside a process: a loop that runs attempts, a thread that commits, a lock against a second one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from asgiref.sync import sync_to_async
from django.conf import settings

from orchestration.conf import Conf, conf
from orchestration.domain.states import Status
from orchestration.domain.work import RELEASED, Ending, Outcome, Work
from orchestration.engine.children import ChildRunner
from orchestration.engine.lock import EngineHeld, EngineLock
from orchestration.engine.memory import calm_collector
from orchestration.engine.runner import Runner
from orchestration.engine.webhooks import WebhookPump
from orchestration.engine.writer import Writer
from orchestration.executors.outcomes import outcome_of_exception
from orchestration.publishing import publisher
from orchestration.services import workers
from orchestration.services.transitions import Applied

__all__ = ["EmbeddedEngine", "EngineHeld"]

logger = logging.getLogger("apflow.engine")


@dataclass(slots=True)
class Running:
    """One attempt under way."""

    work: Work
    task: asyncio.Task[Outcome] = field(init=False)
    releasing: bool = False  # stopped because the engine stops, not because somebody cancelled it
    progress: tuple[float, str] | None = None  # newest report that is not queued yet


class EmbeddedEngine:
    """Start it in a running loop; it takes over what a dead predecessor held and then works until `stop`."""

    def __init__(self, config: Conf | None = None, *, directory: Path | None = None) -> None:
        self.conf = config or conf()
        self.worker = workers.new_worker_id()
        self._lock = EngineLock(directory or settings.DATA_DIR)
        self._children = ChildRunner(
            grace_s=self.conf.grace_s,
            max_result_bytes=self.conf.max_result_bytes,
            max_log_bytes=self.conf.max_log_bytes,
        )
        self._runner = Runner(self.conf, self._children)
        self._running: dict[tuple[str, int], Running] = {}
        self._waiters: dict[int, list[asyncio.Future[Status]]] = {}
        self._flush: asyncio.TimerHandle | None = None
        self._warm: asyncio.Task[ChildRunner] | None = None
        self._webhooks = WebhookPump()
        self._loop: asyncio.AbstractEventLoop
        self._writer: Writer

    @property
    def degraded(self) -> str:
        """Why the engine cannot write at the moment; empty when all is well."""
        return self._writer.degraded

    async def start(self, *, warm: bool = False) -> None:
        """Begin to work. *warm*: start the process for isolated executors now, not at their first attempt.

        Raises EngineHeld when another engine works on the same data directory.
        """
        self._lock.acquire()
        calm_collector()
        self._loop = asyncio.get_running_loop()
        await sync_to_async(workers.register)(self.worker, self.conf)
        self._writer = Writer(self.worker, self.conf, self._deliver)
        publisher.bind(self._loop)
        publisher.listen(self._writer.poke)
        self._writer.start()
        self._webhooks.start()
        if warm:
            self._warm = asyncio.create_task(self._children.start())

    async def stop(self) -> None:
        """Start nothing more, give running attempts `shutdown_s` to end, give back the rest, release everything."""
        await asyncio.to_thread(self._writer.stop_claiming)
        publisher.forget(self._writer.poke)
        tasks = [running.task for running in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=self.conf.shutdown_s)
        for running in self._running.values():
            running.releasing = True
            running.task.cancel()
        await asyncio.gather(*(running.task for running in self._running.values()), return_exceptions=True)
        self._writer.end()
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._webhooks.finish)
        if self._warm is not None:
            self._warm.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._warm
        await self._children.stop()
        publisher.unbind()
        await sync_to_async(workers.leave)(self.worker)
        self._lock.release()

    def ended(self, run_id: int) -> asyncio.Future[Status]:
        """A future with the status that the run ends in; ask before the run is started."""
        future = self._loop.create_future()
        self._waiters.setdefault(run_id, []).append(future)
        return future

    # -- from the writer thread ------------------------------------------------------------------------------------

    def _deliver(self, applied: Applied) -> None:
        if (applied.works or applied.stops or applied.ended) and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, applied)

    # -- in the loop -----------------------------------------------------------------------------------------------

    def _take(self, applied: Applied) -> None:
        self._writer.put(*(outcome for work in applied.works if (outcome := self._begin(work)) is not None))
        for key in applied.stops:
            running = self._running.get(key)
            if running is not None:
                running.task.cancel()
        for run_id, status in applied.ended:
            for future in self._waiters.pop(run_id, ()):
                if not future.done():
                    future.set_result(status)

    def _begin(self, work: Work) -> Outcome | None:
        """Start an attempt. Its outcome when it ends without ever waiting: many do, and need no turn of the loop."""
        running = self._running[work.key] = Running(work)
        coroutine = self._runner.run(work, partial(self._progress, work))
        running.task = task = asyncio.Task(coroutine, loop=self._loop, eager_start=True)
        if task.done():
            return self._outcome(work, task)
        task.add_done_callback(lambda ended: self._writer.put(self._outcome(work, ended)))
        return None

    def _outcome(self, work: Work, task: asyncio.Task[Outcome]) -> Outcome:
        running = self._running.pop(work.key)
        if task.cancelled():
            return _stopped(running)
        error = task.exception()
        return task.result() if error is None else outcome_of_exception(work, error)

    # -- progress: the newest per task, a few times a second -------------------------------------------------------

    def _progress(self, work: Work, fraction: float, message: str) -> None:
        running = self._running.get(work.key)
        if running is None:
            return
        running.progress = (fraction, message)
        if self._flush is None:
            self._flush = self._loop.call_later(1.0 / self.conf.progress_per_s, self._flush_progress)

    def _flush_progress(self) -> None:
        self._flush = None
        for running in self._running.values():
            if running.progress is None:
                continue
            (fraction, message), running.progress = running.progress, None
            work = running.work
            self._writer.put(
                Outcome(
                    work.run_id, work.task_id, work.attempt, Ending.PROGRESS, progress=fraction, message=message[:500]
                )
            )


def _stopped(running: Running) -> Outcome:
    work = running.work
    if running.releasing:
        text = "given back: the engine was stopped"
        return Outcome(work.run_id, work.task_id, work.attempt, Ending.RELEASED, error=text, error_code=RELEASED)
    return Outcome(work.run_id, work.task_id, work.attempt, Ending.CANCELLED, error="stopped")
