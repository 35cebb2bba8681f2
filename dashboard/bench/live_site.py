"""What live views are measured with: a server of its own, people who may watch, runs that tell as much as one wants."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import close_old_connections

from dashboard.bench.answers import cookie_of, wait_ready
from dashboard.bench.live_server import STATS
from dashboard.bench.sockets import Viewer, of_page, of_program
from orchestration.bench.executors import BenchGate, BenchNoop
from orchestration.bench.workloads import workload
from orchestration.builders.array import tree_from_array
from orchestration.models import Event, Run, TreeShare
from orchestration.ports import free_port
from orchestration.services.runs import run_cancel, run_start

PEOPLE = 10  # whose sockets the viewers are: one person may only have so many
SLOTS = 400
WAIT_S = 120.0
OWNER = "bench"
MB = 1024 * 1024


@dataclass(slots=True)
class Load:
    """What the server has used in a stretch of time, in which *sent* events were committed."""

    seconds: float
    cpu_s: float
    queries: int

    @property
    def cpu_percent(self) -> float:
        """Of one core."""
        return round(100 * self.cpu_s / self.seconds, 1)


class Site:
    """A running server and who looks at it."""

    def __init__(self, port: int, process: psutil.Process, owner: User, cookies: list[str]) -> None:
        self.port = port
        self.process = process
        self.owner = owner
        self.cookies = cookies
        self.runs = 0

    async def run(self, array: list[dict[str, Any]]) -> Gated:
        """A run of *array* that has started but for what waits for its gate."""
        self.runs += 1
        file = settings.DATA_DIR / f"gate{self.runs}"
        return Gated(await sync_to_async(self._started)(array, file), file)

    def _started(self, array: list[dict[str, Any]], file: Path) -> int:
        close_old_connections()
        gate = {"id": "gate", "name": "gate", "executor": BenchGate.id, "inputs": {"file": str(file)}}
        root, *rest = array
        tasks = [root, gate | {"parent_id": root["id"]}, *rest]
        for task in (root, *rest):
            if task.get("executor") and not task.get("dependencies"):
                task["dependencies"] = [{"id": "gate"}]
        tree = tree_from_array(owner=self.owner, data=tasks)
        people = User.objects.filter(username__startswith="viewer")
        TreeShare.objects.bulk_create(TreeShare(tree=tree, user=one, right=TreeShare.RUN) for one in people)
        return run_start(user=self.owner, tree_id=tree.pk).pk

    async def watch(self, run_id: int, pages: int, programs: int, after: int = 0) -> list[Viewer]:
        """So many viewers of a run that have got something already."""
        every = [self.viewer(place, f"/ws/runs/{run_id}/page/") for place in range(pages)]
        every += [self.viewer(place, f"/ws/runs/{run_id}/?after={after}", page=False) for place in range(programs)]
        await self.arrive(every, lambda viewer: viewer.seq > after)
        return every

    def viewer(self, place: int, path: str, *, page: bool = True) -> Viewer:
        """Viewer number *place*, not connected yet."""
        return Viewer(path, self.cookies[place % len(self.cookies)], of_page if page else of_program)

    async def arrive(self, viewers: list[Viewer], there: Callable[[Viewer], bool], buffer_bytes: int = 0) -> None:
        """Connects them all at once; returns when *there* holds of each."""
        await asyncio.gather(*(viewer.open(self.port, buffer_bytes) for viewer in viewers))
        await together(*(viewer.until(there) for viewer in viewers))

    @contextlib.asynccontextmanager
    async def load(self) -> AsyncIterator[Load]:
        """What the server uses while the block lasts; filled in at its end."""
        found = Load(0.0, 0.0, 0)
        before, cpu, began = await self.stats(), self._cpu_s(), time.monotonic()
        yield found
        found.seconds, found.cpu_s = time.monotonic() - began, self._cpu_s() - cpu
        found.queries = int((await self.stats())["queries"] - before["queries"])

    async def stats(self) -> dict[str, float]:
        """Queries so far, and bytes of memory that are the server's alone."""
        async with httpx.AsyncClient() as client:
            found: dict[str, float] = (await client.get(f"http://127.0.0.1:{self.port}{STATS}", timeout=60)).json()
        return found

    def _cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@dataclass(slots=True)
class Gated:
    """A run whose tasks wait for its gate."""

    id: int
    gate: Path

    def open(self) -> None:
        """The tasks start."""
        self.gate.touch()

    async def ended(self) -> None:
        """Returns once the run has ended."""
        async with asyncio.timeout(WAIT_S):
            while await Run.objects.filter(pk=self.id, completed_at=None).aexists():
                await asyncio.sleep(0.05)

    async def cancel(self) -> None:
        """It is to end now."""
        await sync_to_async(self._cancel)()

    def _cancel(self) -> None:
        close_old_connections()
        run_cancel(user=User.objects.get(username=OWNER), run_id=self.id, reason="measured")

    async def times(self) -> list[tuple[int, float]]:
        """(number, second of 1970) of every event, as stored."""
        rows = Event.objects.filter(run=self.id).order_by("seq").values_list("seq", "at")
        return [(seq, at.timestamp()) async for seq, at in rows]


async def together(*waits: Coroutine[Any, Any, None]) -> None:
    """All of *waits*. Raises TimeoutError after two minutes, ConnectionError."""
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(*waits)


def hot(rate: int, seconds: float) -> list[dict[str, Any]]:
    """Tasks that report *rate* changes a second together, each at most ten."""
    tasks = max(1, min(100, rate // 2)) if rate <= 1000 else rate // 10
    steps = max(1, min(1000, round(seconds * rate / tasks)))
    work = {"executor": "simulate", "inputs": {"duration_s": seconds, "steps": steps}}
    root = {"id": "root", "name": f"{rate} changes a second"}
    return [root, *({"id": f"t{i}", "name": f"t{i}", "parent_id": "root", **work} for i in range(tasks))]


def layers(tasks: int) -> list[dict[str, Any]]:
    """The layers of `manage.py bench W3`."""
    return workload("W3", tasks).array(BenchNoop.id)


@contextlib.contextmanager
def opened_site() -> Iterator[Site]:
    """A server on this process's data directory, with an engine."""
    owner = User.objects.create_superuser(OWNER, password=None)
    people = [User.objects.create_user(f"viewer{number}") for number in range(PEOPLE)]
    for user in people:
        user.groups.add(Group.objects.get(name="operator"))
    cookies = ["; ".join(f"{name}={value}" for name, value in cookie_of(user).items()) for user in people]
    port, log = free_port(), settings.DATA_DIR / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "django", "bench_live", "--serve", str(port)],
            cwd=settings.BASE_DIR,
            env={
                "DJANGO_SETTINGS_MODULE": "apflow_site.settings",
                "APFLOW_DATA_DIR": str(settings.DATA_DIR),
                "APFLOW_ASYNC_SLOTS": str(SLOTS),
            },
            stdout=output,
            stderr=output,
        )
    try:
        wait_ready(f"http://127.0.0.1:{port}", process, log)
        yield Site(port, psutil.Process(process.pid), owner, cookies)
    finally:
        process.terminate()
        process.wait()
