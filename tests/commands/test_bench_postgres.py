"""The benchmarks that need PostgreSQL run, small, and leave no database behind; their times mean nothing here."""

from __future__ import annotations

import json
import subprocess
import sys

import psycopg
import pytest
from django.core.management import CommandError, call_command

from tests.engine.support import until
from tests.support_postgres import new_database, require
from tests.support_processes import ROOT, environment_of

MINE = "SELECT datname FROM pg_database WHERE datname LIKE 'apflow_bench_%'"


def made(url):
    """The databases of all benchmarks on the server of *url*."""
    with psycopg.connect(url) as rows:
        return set(rows.execute(MINE))


def measured(folder, *arguments):
    """What the command prints as JSON, on the server of the tests."""
    require()
    url = new_database()
    before = made(url)
    command = [sys.executable, "manage.py", *arguments, "--json"]
    environment = environment_of(folder, DATABASE_URL=url)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    left = made(url) - before  # or those of a test that another process runs meanwhile: they go when it ends
    until(lambda: not left & made(url), "the end of its databases", deadline_s=120)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_workers(tmp_path):
    (row,) = measured(tmp_path, "bench", "--scale-out", "--n", "200", "--workers", "1")
    assert (row["workers"], row["tasks"], row["each_done_once"], row["inversions"]) == (1, 200, True, 0)
    assert row["tasks_per_s"] > 0
    assert row["floor_claims_per_s"] > 0


@pytest.mark.slow
def test_a_workload_over_workers(tmp_path):
    (row,) = measured(tmp_path, "bench", "W3", "--scale-out", "--n", "60", "--workers", "1")
    assert (row["workload"], row["tasks"], row["stored_ok"], row["order_violations"]) == ("W3", 60, True, 0)
    assert row["seconds"] > row["submit_s"] + row["start_s"] > 0


@pytest.mark.slow
def test_events_in_partitions(tmp_path):
    figures = measured(tmp_path, "bench_growth", "--only", "events", "--events", "2000")
    one, parted = figures["events"]
    assert [row["table"] for row in (one, parted)] == ["one", "20 partitions"]
    for row in (one, parted):
        assert row["events"] == 2000
        assert min(row[name] for name in ("page_ms", "commit_ms", "newest_ms", "drop_ms")) > 0
    assert parted["mb_after"] < parted["mb"]
    assert one["mb_after"] >= one["mb"] > 0


@pytest.mark.parametrize(
    "options", [["--events", "10"], ["--only", "everything"], ["--workers", "1"], ["--tasks", "1"], ["--rounds", "0"]]
)
def test_what_cannot_be_measured_is_refused(options):
    with pytest.raises(CommandError) as caught:
        call_command("bench_growth", *options)
    assert caught.value.returncode == 2


def test_never_inside_a_database_in_use(tmp_path):
    with pytest.raises(CommandError, match="new folder"):
        call_command("bench_growth", inside=str(tmp_path), part="events")
