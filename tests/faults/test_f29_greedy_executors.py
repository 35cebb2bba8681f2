"""F29 and F30: executors that eat processes, descriptors and connections, and floods of events."""

from __future__ import annotations

import os
import time

import psutil
import pytest

from tests.faults.support import until
from tests.settings import POSTGRES

pytestmark = [pytest.mark.fault, pytest.mark.slow]

FORKS = 60
MANY = 9_999  # and their group
BEHIND_S = 1.0 * float(os.environ.get("FAULT_PATIENCE", "3"))  # the goal is 1 s on two cores of one's own


def family(child):
    return psutil.Process(child.pid).children(recursive=True)


def test_f29_forks_are_killed_with_their_task(place):
    engine = place.running()
    run = place.begin(place.task("bomb", "bad_forks", number=FORKS, timeout_s=20), place.task("other", s=0.1))
    until((place.folder / "effects.forked").exists, "the forks")
    processes = family(engine)
    assert len(processes) > FORKS
    began = time.monotonic()
    place.call("orchestration.soak.inside:cancel_task", run, "bomb")
    assert place.run_ended(run) == "failed"
    assert time.monotonic() - began < 10
    alive = [p for p in psutil.wait_procs(processes, timeout=10)[1] if p.status() != psutil.STATUS_ZOMBIE]
    assert len(alive) <= 2, "only what forks the next attempts, and what it was forked from"
    assert [a[1] for a in place.attempts("other")] == ["completed"]
    assert engine.code is None
    place.right()


def test_f29_descriptors_and_connections_end_with_their_process(place):
    engine = place.running()
    before = psutil.Process(engine.pid).num_fds()
    run = place.begin(
        place.task("descriptors", "bad_descriptors"), place.task("connections", "bad_connections"),
        place.task("other", "soak_child"),
    )  # fmt: skip
    until(lambda: place.count("orchestration_event WHERE kind = 'task_progress'"), "that it hoards")
    place.go()
    assert place.run_ended(run) == "failed"
    (failed,) = place.attempts("descriptors")
    assert failed[1:3] == ("failed", "executor_error")
    assert "Too many open files" in place.one("SELECT error FROM orchestration_task WHERE name = 'descriptors'")
    assert [a[1:3] for a in place.attempts("connections")] == [("failed", "worker_lost")]
    assert [a[1] for a in place.attempts("other")] == ["completed"]
    assert psutil.Process(engine.pid).num_fds() < before + 20
    if POSTGRES:
        idle = "pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
        until(lambda: place.count(idle) == 0, "the end of the connections")
    place.right()


def test_f30_a_flood_of_progress_and_of_tasks(place):
    """100,000 reports of progress and 10,000 tasks: other runs are at most moments behind, and the order is kept."""
    place.running()
    flood = place.begin(place.task("flood", "bad_flood"))
    wide = place.begin(*({**place.task(f"w{n}", "noop"), "inputs": {}} for n in range(MANY)))
    until(lambda: place.count("orchestration_attempt WHERE run_id = %s", wide) > 100, "the flood")
    delays = []
    for number in range(5):
        began = time.monotonic()
        small = place.begin(place.task(f"s{number}", priority=0))
        committed = time.monotonic()
        assert place.run_ended(small) == "completed"
        delays.append(time.monotonic() - committed)
        assert committed - began < 30
    print(f"\nsmall runs beside the flood: {[round(d, 2) for d in delays]}")
    assert sorted(delays)[len(delays) // 2] < BEHIND_S
    assert place.run_ended(wide, 180) == "completed"
    assert place.run_ended(flood, 180) == "completed"
    reports = place.count("orchestration_event WHERE run_id = %s AND kind = 'task_progress'", flood)
    seconds = place.all(
        "SELECT started_at, completed_at FROM orchestration_attempt WHERE run_id = %s AND executor <> ''", flood
    )
    assert reports < 2000, f"thinned out: {reports} in {seconds}"
    place.right()
