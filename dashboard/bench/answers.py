"""How long the server takes to answer, and how many queries that needs."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.bench.sample import Sample
from orchestration.management.own_database import address_of
from orchestration.ports import free_port

START_S = 300.0
CPU_ROUNDS = 3
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is measured. *part*: asked for the way the page's script does."""

    name: str
    url: str
    part: bool = False

    @property
    def headers(self) -> dict[str, str]:
        return HTMX if self.part else {}


def pages_of(sample: Sample) -> list[Page]:
    """The pages, from the largest run to the lists."""
    middle = sample.tasks // 2
    return [
        Page("run, goes on: first window", f"/runs/{sample.live}"),
        Page("run, goes on: a window in the middle", f"/runs/{sample.live}?start={middle}"),
        Page("run, goes on: live part by polling", f"/runs/{sample.live}", part=True),
        Page("run, ended: first window", f"/runs/{sample.ended}"),
        Page("run, ended: a window in the middle", f"/runs/{sample.ended}?start={middle}"),
        Page("run, ended: failed tasks only", f"/runs/{sample.ended}?state=failed"),
        Page("run, ended: tasks by name", f"/runs/{sample.ended}?q=t77"),
        Page("graph of a run, 1,000 boxes", f"/runs/{sample.graph}/graph"),
        Page("graph of the large run, folded", f"/runs/{sample.ended}/graph"),
        Page("tree page of the large tree", f"/trees/{sample.tree}"),
        Page("list of runs", "/runs/"),
        Page("list of trees", "/trees/"),
        Page("search in the list of trees", "/trees/?q=small"),
        Page("search in the palette", "/palette?q=small", part=True),
        Page("queue", "/queue/"),
        Page("overview", "/"),
    ]


def costs_of(pages: list[Page], user: User) -> dict[str, dict[str, float]]:
    """By name: how many queries each of *pages* needs, and how much time of the processor."""
    client = _client(user)
    costs: dict[str, dict[str, float]] = {}
    for page in pages:
        with CaptureQueriesContext(connection) as queries:
            status = client.get(page.url, headers=page.headers).status_code
        count = len(queries)  # now: the next request begins the list anew
        _check(page, status)
        times = []
        for _ in range(CPU_ROUNDS):
            began = time.process_time()
            client.get(page.url, headers=page.headers)
            times.append((time.process_time() - began) * 1000)
        costs[page.name] = {"queries": count, "cpu_ms": round(median(times), 1)}
    return costs


def cookie_of(user: User) -> dict[str, str]:
    """The cookie with which *user* is signed in."""
    return {settings.SESSION_COOKIE_NAME: _client(user).cookies[settings.SESSION_COOKIE_NAME].value}


@contextlib.contextmanager
def served(*options: str) -> Iterator[str]:
    """The address of a server (`manage.py up` with *options*) on this process's data directory."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = settings.DATA_DIR / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port), *options],
            cwd=settings.BASE_DIR,
            env=environment(),
            stdout=output,
            stderr=output,
        )
    try:
        wait_ready(url, process, log, probe="/healthz" if "--no-engine" in options else "/readyz")
        yield url
    finally:
        process.terminate()
        process.wait()


def environment() -> dict[str, str]:
    """What a process needs to work on this process's data directory and database."""
    found = {"APFLOW_DATA_DIR": str(settings.DATA_DIR), "APFLOW_SQLITE_SYNCHRONOUS": settings.SQLITE_SYNCHRONOUS}
    own = connection.vendor == "postgresql"
    return found | ({"DATABASE_URL": address_of(str(connection.settings_dict["NAME"]))} if own else {})


def measure_answers(pages: list[Page], url: str, cookies: dict[str, str], rounds: int) -> list[dict[str, Any]]:
    """Milliseconds until the whole answer is there, pages in turn. Raises RuntimeError for an error."""
    taken: dict[str, list[float]] = {page.name: [] for page in pages}
    sizes: dict[str, int] = {}
    with httpx.Client(base_url=url, cookies=cookies, timeout=60) as client:
        for _ in range(rounds + 1):  # the first one warms up
            for page in pages:
                began = time.perf_counter()
                response = client.get(page.url, headers=page.headers)
                taken[page.name].append((time.perf_counter() - began) * 1000)
                _check(page, response.status_code)
                sizes[page.name] = len(response.content)
    return [
        {
            "page": page.name,
            "median_ms": round(median(taken[page.name][1:]), 1),
            "p95_ms": round(sorted(taken[page.name][1:])[int(0.95 * rounds)], 1),
            "kb": round(sizes[page.name] / 1000),
        }
        for page in pages
    ]


def _client(user: User) -> Client:
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    return client


def _check(page: Page, status: int) -> None:
    if status != 200:
        raise RuntimeError(f"{page.name} ({page.url}) answered {status}")


def wait_ready(
    url: str, process: subprocess.Popen[bytes], log: Path, every_s: float = 0.1, probe: str = "/readyz"
) -> None:
    """Returns once the server at *url* answers *probe* with 200; `/readyz` wants an engine, too.

    Raises RuntimeError with the end of *log* when it does not get so.
    """
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}{probe}", timeout=2).status_code == 200:
                return
        time.sleep(every_s)
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}")
