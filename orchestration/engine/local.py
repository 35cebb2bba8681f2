"""The attempts that run in this process: started, stopped, given back; what they report goes to whoever stores it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import partial

from orchestration.conf import Conf
from orchestration.domain.work import RELEASED, Ending, Outcome, Work
from orchestration.engine.children import ChildRunner
from orchestration.engine.runner import Runner
from orchestration.executors.outcomes import outcome_of_exception

Key = tuple[str, int]


@dataclass(slots=True)
class Running:
    """One attempt under way."""

    work: Work
    task: asyncio.Task[Outcome] = field(init=False)
    releasing: bool = False  # stopped because the process stops, not because somebody cancelled it
    progress: tuple[float, str] | None = None  # newest report that is not queued yet


class LocalAttempts:
    """Everything is called in the event loop; *put* takes outcomes from there."""

    def __init__(self, conf: Conf, put: Callable[..., None]) -> None:
        self._conf = conf
        self._put = put
        self._children = ChildRunner(
            grace_s=conf.grace_s, max_result_bytes=conf.max_result_bytes, max_log_bytes=conf.max_log_bytes
        )
        self._runner = Runner(conf, self._children)
        self._running: dict[Key, Running] = {}
        self._flush: asyncio.TimerHandle | None = None
        self._warm: asyncio.Task[ChildRunner] | None = None
        self._loop: asyncio.AbstractEventLoop

    def open(self, *, warm: bool = False) -> None:
        """Begin, in the running loop. *warm*: start the process for isolated executors now."""
        self._loop = asyncio.get_running_loop()
        if warm:
            self._warm = asyncio.create_task(self._children.start())

    @property
    def keys(self) -> set[Key]:
        """What runs."""
        return set(self._running)

    def begin(self, works: Iterable[Work]) -> None:
        """Start these attempts."""
        self._put(*(outcome for work in works if (outcome := self._begin(work)) is not None))

    def stop(self, keys: Collection[Key]) -> None:
        """Ask these to stop; each reports when it has."""
        for key in keys:
            running = self._running.get(key)
            if running is not None:
                running.task.cancel()

    async def finish(self, grace_s: float) -> None:
        """Give what runs *grace_s* to end, then stop the rest and give it back."""
        tasks = [running.task for running in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=grace_s)
        for running in self._running.values():
            running.releasing = True
            running.task.cancel()
        await asyncio.gather(*(running.task for running in self._running.values()), return_exceptions=True)

    async def close(self) -> None:
        """End the child processes."""
        if self._warm is not None:
            self._warm.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._warm
        await self._children.stop()

    def _begin(self, work: Work) -> Outcome | None:
        """Start an attempt. Its outcome when it ends without ever waiting: many do, and need no turn of the loop."""
        running = self._running[work.key] = Running(work)
        coroutine = self._runner.run(work, partial(self._progress, work))
        running.task = task = asyncio.Task(coroutine, loop=self._loop, eager_start=True)
        if task.done():
            return self._outcome(work, task)
        task.add_done_callback(lambda ended: self._put(self._outcome(work, ended)))
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
            self._flush = self._loop.call_later(1.0 / self._conf.progress_per_s, self._flush_progress)

    def _flush_progress(self) -> None:
        self._flush = None
        for running in self._running.values():
            if running.progress is None:
                continue
            (fraction, message), running.progress = running.progress, None
            work = running.work
            self._put(
                Outcome(
                    work.run_id, work.task_id, work.attempt, Ending.PROGRESS, progress=fraction, message=message[:500]
                )
            )


def _stopped(running: Running) -> Outcome:
    work = running.work
    if running.releasing:
        text = "given back: its process was stopped"
        return Outcome(work.run_id, work.task_id, work.attempt, Ending.RELEASED, error=text, error_code=RELEASED)
    return Outcome(work.run_id, work.task_id, work.attempt, Ending.CANCELLED, error="stopped")
