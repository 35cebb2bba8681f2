"""The page, the API and the metrics of a process that only serves pages show who works elsewhere."""

from __future__ import annotations

import re
import signal
from contextlib import closing

import httpx
import pytest

from tests.scaleout.support import signed_in, until

pytestmark = pytest.mark.slow


def figures(url):
    return dict(re.findall(r"^(apflow_\w+(?:{[^}]*})?) ([\d.]+)$", httpx.get(f"{url}/metrics").text, re.M))


def rows_where_one_runs(client):
    """By process; None while no worker holds the task, as between two attempts on a machine that is too busy."""
    rows = {row["pid"]: row for row in client.get("/api/v1/workers/").json()["items"]}
    return rows if [row["running"] for row in rows.values() if row["running"]] == [1] else None


def test_workers_are_shown_and_those_that_have_gone_are_not(site):
    site.environment |= {"APFLOW_METRICS": "1", "APFLOW_QUEUES": "so_mark=marks"}
    run = site.begin(site.task("long", "so_hold"))
    engine, worker = site.engine(), site.worker("--queues", "default", "--concurrency", "3")
    other = site.worker("--queues", "marks", "--concurrency", "2")
    url = site.web()
    site.begun("long")
    with closing(signed_in(url)) as client:
        page = client.get("/workers/").text
        for process, role in ((engine, "hands out to workers"), (worker, "default"), (other, "marks")):
            (row,) = [row for row in re.findall(r"<tr id=.*?</tr>", page, re.S) if f"pid {process.pid}<" in row]
            assert role in row
        rows = until(lambda: rows_where_one_runs(client), "that somebody runs the task")
        assert rows[worker.pid]["alive"] is True
        now = figures(url)
        assert (now["apflow_engines"], now["apflow_workers"]) == ("1", "2")
        assert now['apflow_slots_total{kind="async"}'] == "5"
        other.signal(signal.SIGTERM)
        assert site.ended(other) == 0
        until(lambda: figures(url)["apflow_workers"] == "1", "the metrics without the one that has gone")
        assert f"pid {other.pid}<" not in client.get("/workers/").text
        assert f"pid {other.pid}<" in client.get("/workers/?all=1").text
    site.go()
    assert site.run_ended(run) == "completed"
