"""A real engine in a thread of its own, and conditions with deadlines to wait for."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from dataclasses import replace

from asgiref.sync import sync_to_async
from django.db import connections

from orchestration.conf import conf
from orchestration.engine.embedded import EmbeddedEngine
from orchestration.executors import registry
from orchestration.executors.base import Executor
from orchestration.models import Event, Run, Task

DEADLINE_S = 60.0  # nothing is late on purpose: on a busy machine everything is


class Unstoppable(Executor):
    """Runs until its gate opens, whatever anybody wants."""

    id = "e_unstoppable"
    name = "Unstoppable"
    isolated = False
    cancelable = False
    gate = threading.Event()

    async def run(self, ctx):
        while not self.gate.is_set():
            await asyncio.sleep(0.01)
        return "too late"


def until(condition, what="it", deadline_s=DEADLINE_S):
    """Wait until *condition()* is true; what it returned. Fails after a while, saying *what* did not happen."""
    end = time.monotonic() + deadline_s
    pause = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen"
        pause.wait(0.01)
    return found


class EngineThread:
    """`with EngineThread(directory, async_slots=1) as thread:` an engine works; it is stopped at the end."""

    def __init__(self, directory, **options):
        options = {"grace_s": 0.2, "shutdown_s": 0.1, "sweep_s": 0.2, **options}
        self.engine = EmbeddedEngine(replace(conf(), **options), directory=directory)
        self._started = threading.Event()
        self._error = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="test-engine")

    async def _main(self):
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            await self.engine.start()
        except Exception as error:  # noqa: BLE001  handed to the test
            self._error = error
            return
        finally:
            self._started.set()
        await self._stop.wait()
        await self.engine.stop()
        await sync_to_async(connections.close_all)()

    def __enter__(self):
        self._thread.start()
        self._started.wait(DEADLINE_S)
        if self._error is not None:
            self._thread.join(DEADLINE_S)
            raise self._error
        return self

    def call(self, function, *args):
        """The result of *function*, called in the engine's loop."""

        async def run():
            return function(*args)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(DEADLINE_S)

    def __exit__(self, *_exc):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "the engine did not stop"


@contextlib.contextmanager
def registered(*executors: type[Executor]):
    """*executors* are known meanwhile."""
    for made in executors:
        registry.register(made())
    try:
        yield
    finally:
        for made in executors:
            registry.unregister(made.id)


def ended(run):
    """The run once it has ended."""

    def look():
        run.refresh_from_db()
        return not run.is_active

    until(look, f"the end of run {run.pk}")
    return run


def status_of(tree, name):
    return Task.objects.get(tree=tree, name=name).status


def statuses(tree):
    """Name -> status of every task but the root."""
    return dict(Task.objects.filter(tree=tree, parent__isnull=False).values_list("name", "status"))


def kinds(run, *only):
    """The kinds of the run's events in order, with the task's name."""
    events = Event.objects.filter(run=run).order_by("seq")
    names = {t.pk: t.name for t in Task.objects.filter(tree=Run.objects.get(pk=run.pk).tree_id)}
    told = [(e.kind, names.get(e.task_id, "")) for e in events]
    return [one for one in told if not only or one[0] in only]
