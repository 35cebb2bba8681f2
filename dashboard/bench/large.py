"""What a large installation is asked for: lists with every filter that their pages offer, searches, the API."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

import httpx
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.bench.answers import HTMX, cookie_of
from dashboard.bench.fill import RARE, Filled
from orchestration.models import Run, Tree

SEARCHES = ("", "nightly", RARE, "no such name")
RUN_STATES = ("", "in_progress", "failed", "completed", "cancelled")
TREE_STATES = (*RUN_STATES, "never", "archived")
API = (
    "runs/", "runs/?status=failed", "runs/?status=in_progress", "runs/?mode=only", "runs/?started_by=guest",
    "runs/?started_by=member&status=cancelled", "runs/?started_since={day}", "runs/?started_before={old}",
    "runs/?ordering=-started_at", "runs/?ordering=started_at&status=failed", "runs/?tree={tree}", "trees/",
    f"trees/?search={RARE}", "trees/?status=failed", "trees/?label=import", "trees/?ordering=-updated_at",
    "trees/?owner=guest", "tasks/?tree={tree}", f"tasks/?search={RARE}", "tasks/?status=in_progress",
    "tasks/?ordering=name", "queue/", "runs/{run}/events/", "runs/{run}/attempts/",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ask:
    """An address of a group, and who asks. *part*: the way the page's script does."""

    group: str
    url: str
    who: str
    part: bool = False


def asks(filled: Filled) -> list[Ask]:
    """All that is measured."""
    people = [user.username for user in (filled.staff, filled.member, filled.guest)]
    urls = [*_runs(), *_trees(), *_next(filled), *_others(), *_api()]
    return [Ask(group, url, who, group == "palette") for group, url in urls for who in people]


def _runs() -> Iterator[tuple[str, str]]:
    for search, state, mine, hours in itertools.product(SEARCHES, RUN_STATES, ("", "1"), ("", "1", "24", "720")):
        parts = {"q": search, "state": state, "mine": mine, "hours": hours}
        chosen = "&".join(f"{name}={value}" for name, value in parts.items() if value)
        yield f"runs, {_filters(parts)}", f"/runs/?{chosen or 'all=1'}"


def _trees() -> Iterator[tuple[str, str]]:
    for search, state, mine, label in itertools.product(SEARCHES, TREE_STATES, ("", "1"), ("", "import")):
        parts = {"q": search, "state": state, "mine": mine, "label": label}
        chosen = "&".join(f"{name}={value}" for name, value in parts.items() if value)
        yield f"trees, {_filters(parts)}", f"/trees/?{chosen or 'all=1'}"


def _filters(parts: dict[str, str]) -> str:
    given = sum(bool(value) for value in parts.values())
    return ("all", "one filter")[given] if given < 2 else "several filters"


def _next(filled: Filled) -> Iterator[tuple[str, str]]:
    """Pages that follow: in the middle of everything, and near its end."""
    for share in (0.99, 0.5, 0.01):
        before = int(filled.runs * share)
        for chosen in ("all=1", "state=failed", "q=nightly", "mine=1"):
            yield "runs, next page", f"/runs/?{chosen}&before={before}"
        yield "trees, next page", f"/trees/?all=1&before={int(filled.trees * share) + 1}"


def _others() -> Iterator[tuple[str, str]]:
    yield "overview", "/"
    yield "queue", "/queue/"
    yield "workers", "/workers/"
    for text in (*SEARCHES[1:], "notify", "000017", "12345"):
        yield "palette", f"/palette?q={text}"


def _api() -> Iterator[tuple[str, str]]:
    now = timezone.now()
    words = {
        "day": (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "old": (now - timedelta(days=360)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "tree": Tree.objects.filter(name__startswith=RARE).values_list("pk", flat=True)[0],
        "run": Run.objects.filter(tree__name__startswith=RARE).values_list("pk", flat=True)[0],
    }
    for path in API:
        yield "API", f"/api/v1/{path.format(**words)}"


def measure_large(filled: Filled, every: list[Ask], url: str, rounds: int) -> list[dict[str, Any]]:
    """Per group: how long its addresses take, with the slowest by its median. Raises RuntimeError for an error."""
    people = {user.username: user for user in (filled.staff, filled.member, filled.guest)}
    cookies = {name: cookie_of(user) for name, user in people.items()}
    queries, cpu = costs_inside(every, people)
    connection.close()
    taken: dict[Ask, list[float]] = {ask: [] for ask in every}
    with httpx.Client(base_url=url, timeout=120) as client:
        for _ in range(rounds + 1):  # the first one warms up
            for ask in every:
                began = time.perf_counter()
                header = "; ".join(f"{name}={value}" for name, value in cookies[ask.who].items())
                answer = client.get(ask.url, headers={"Cookie": header, **(HTMX if ask.part else {})})
                taken[ask].append((time.perf_counter() - began) * 1000)
                if answer.status_code not in (200, 404):  # of the runs that one may not see
                    raise RuntimeError(f"{ask.url} answered {answer.status_code} to {ask.who}")
    groups: dict[str, list[Ask]] = {}
    for ask in every:
        groups.setdefault(ask.group, []).append(ask)
    return [_row(group, asked, taken, queries, cpu) for group, asked in groups.items()]


def _row(
    group: str, asked: list[Ask], taken: dict[Ask, list[float]], queries: dict[Ask, int], cpu: dict[Ask, float]
) -> dict[str, Any]:
    times = sorted(one for ask in asked for one in taken[ask][1:])
    worst = max(asked, key=lambda ask: median(taken[ask][1:]))
    heaviest = max(asked, key=lambda ask: cpu[ask])
    return {
        "group": group,
        "addresses": len(asked),
        "median_ms": round(median(times), 1),
        "p95_ms": round(times[int(0.95 * len(times))], 1),
        "slowest_ms": round(median(taken[worst][1:]), 1),
        "slowest": f"{worst.url} ({worst.who})",
        "most_cpu_ms": round(cpu[heaviest], 1),
        "most_cpu": f"{heaviest.url} ({heaviest.who})",
        "most_queries": max(queries[ask] for ask in asked),
    }


def costs_inside(every: list[Ask], people: dict[str, User]) -> tuple[dict[Ask, int], dict[Ask, float]]:
    """How many queries each address needs, and how many milliseconds of the processor (Python's and SQLite's)."""
    clients = {name: Client(SERVER_NAME="127.0.0.1") for name in people}
    for name, client in clients.items():
        client.force_login(people[name])
    queries, cpu = {}, {}
    for ask in every:
        client = clients[ask.who]
        with CaptureQueriesContext(connection) as found:
            client.get(ask.url, headers=HTMX if ask.part else {})
        queries[ask] = len(found)  # now: the next request begins the list anew
        began = time.process_time()
        client.get(ask.url, headers=HTMX if ask.part else {})
        cpu[ask] = (time.process_time() - began) * 1000
    return queries, cpu


def size_mb() -> float:
    """Of the database."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            bytes_ = int(cursor.fetchone()[0])
    else:
        bytes_ = (settings.DATA_DIR / "apflow.sqlite3").stat().st_size
    return round(bytes_ / 1e6)
