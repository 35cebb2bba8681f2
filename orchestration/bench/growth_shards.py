"""One of the databases that tasks are spread over, with an engine and workers of its own; and lists that are read
meanwhile."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Max, Min
from django.utils import timezone

from orchestration.bench.scale_out import measure_workers
from orchestration.models import Attempt
from orchestration.selectors.access import trees_for_read
from orchestration.selectors.overview import overview
from orchestration.selectors.run_query import RunFilter, run_query

MEET_S = 300.0
POLL_S = 0.02
PAGE = 50
LISTS = 3  # of a round
ACTIVE = "SELECT active_time FROM pg_stat_database WHERE datname = current_database()"  # ms in statements


def measure_shard(
    workers: int, *, tasks: int, concurrency: int, user: User, meet: Path, shards: int, reading: bool
) -> dict[str, Any]:
    """The figures of `measure_workers`, and when its tasks began and ended by the clock of the server. Its engine
    starts when *shards* processes have come to the folder *meet*. *reading*: a thread asks for lists all the while."""
    found: dict[str, Any] = {}
    active: list[float] = []
    with contextlib.ExitStack() as stack:

        def gate() -> None:
            _meet(meet, shards)
            active.append(_active_ms())
            if reading:
                stack.enter_context(_reading(user, found))

        figures = measure_workers(workers, tasks=tasks, concurrency=concurrency, task_ms=0.0, user=user, gate=gate)
    span = Attempt.objects.exclude(executor="").aggregate(began=Min("started_at"), ended=Max("completed_at"))
    found["active_ms"] = _active_ms() - active[0]
    return figures | {name: at.timestamp() for name, at in span.items()} | found


def _active_ms() -> float:
    """How long the server has been at statements of this database, over all connections."""
    with connection.cursor() as cursor:
        cursor.execute(ACTIVE)
        return float(cursor.fetchone()[0])


def _meet(place: Path, count: int) -> None:
    (place / f"here-{os.getpid()}").touch()
    end = time.monotonic() + MEET_S
    while len(list(place.iterdir())) < count:
        if time.monotonic() > end:
            raise RuntimeError(f"the other databases were not ready within {MEET_S:g} s")
        time.sleep(POLL_S)


@contextlib.contextmanager
def _reading(user: User, found: dict[str, Any]) -> Iterator[None]:
    """A thread that reads what the overview and the lists of runs and trees show, again and again; *found* tells how
    often, with how many queries, and how long the server took for those."""
    stop = threading.Event()
    thread = threading.Thread(target=_read, args=(user, stop, found), name="bench-reader")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _read(user: User, stop: threading.Event, found: dict[str, Any]) -> None:
    taken: list[float] = []

    def timed(execute: Callable[..., Any], *query: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(*query)
        finally:
            taken.append(time.perf_counter() - began)

    try:
        _lists(user)  # connects
        lists, began = 0, time.perf_counter()
        with connection.execute_wrapper(timed):
            while not (stop.is_set() and lists):
                _lists(user)
                lists += LISTS
        found["lists_per_s"] = round(lists / (time.perf_counter() - began), 1)
        found["queries_per_list"] = round(len(taken) / lists, 1)
        found["server_ms_per_list"] = round(1000 * sum(taken) / lists, 2)
    finally:
        connection.close()


def _lists(user: User) -> None:
    overview(user, timezone.now())
    list(run_query(user, RunFilter()).newest(PAGE))
    list(trees_for_read(user).select_related("owner").order_by("-updated_at")[:PAGE])
