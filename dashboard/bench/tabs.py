"""What a tab costs that nobody touches, while one task is under way: the processor time of the whole browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psutil
from django.contrib.auth.models import User

from dashboard.bench.browser import launched, signed_in
from orchestration.bench.waiting import cpu_s, until
from orchestration.builders.array import tree_from_array
from orchestration.domain.states import Status
from orchestration.models import Run, Task
from orchestration.services.runs import run_cancel, run_start

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = {"overview": "/", "list of runs": "/runs/?all=1", "run": "/runs/{run}", "its graph": "/runs/{run}/graph"}
MOTION = {"cpu_percent": "no-preference", "still_cpu_percent": "reduce"}  # who asks for less motion sees nothing turn
SETTLE_MS = 2500
LOOK_MS = 6000
LONG_S = 3600.0
PATIENCE_S = 120.0


def leave_one(user: User) -> int:
    """The only run that goes on from now on; its one task works for an hour. Needs a server that runs tasks."""
    for run in Run.objects.filter(status=Status.IN_PROGRESS):
        run_cancel(user=user, run_id=run.pk, reason="measured")
    tree = tree_from_array(
        owner=user, data=[{"name": "Goes on", "executor": "simulate", "inputs": {"duration_s": LONG_S}}]
    )
    run = run_start(user=user, tree_id=tree.pk)
    working = Task.objects.filter(tree=tree, status=Status.IN_PROGRESS)
    others = Run.objects.filter(status=Status.IN_PROGRESS).exclude(pk=run.pk)
    until(lambda: working.exists() and not others.exists(), PATIENCE_S, "a single task under way")
    return run.pk


def measure_tabs(run: int, url: str, cookies: dict[str, str]) -> list[dict[str, Any]]:
    """For each page percent of a core, with what moves and for whoever wants it still. Needs what `missing` wants."""
    rows: dict[str, dict[str, Any]] = {name: {"page": name} for name in PAGES}
    with launched() as browser:
        for figure, motion in MOTION.items():
            for name, path in PAGES.items():
                rows[name][figure] = _percent(browser, url, cookies, motion, path.format(run=run))
    return list(rows.values())


def _percent(browser: Browser, url: str, cookies: dict[str, str], motion: str, path: str) -> float:
    context = signed_in(browser, url, cookies, reduced_motion=motion)
    page = context.new_page()
    page.goto(path, wait_until="load")
    page.wait_for_timeout(SETTLE_MS)
    before = _browser_s()
    page.wait_for_timeout(LOOK_MS)
    used = _browser_s() - before
    context.close()
    return round(100 * used / (LOOK_MS / 1000), 1)


def _browser_s() -> float:
    """Processor time of all processes of the browser so far, without the one that steers it."""
    found = psutil.Process().children(recursive=True)
    return sum(cpu_s(process) for process in found if process.name().startswith("chrom"))
