"""Four worker processes on one database: each task once, the urgent first, and more workers do more."""

from __future__ import annotations

from collections import Counter

import pytest

from orchestration.bench.scale_out import inversions

pytestmark = pytest.mark.slow

WORKERS, SLOTS = 4, 8
RUNS, EACH, LEVELS = 4, 300, 4
LONG_S = 300  # on a busy machine


def test_each_is_done_once_and_none_overtakes_more_than_was_handed_out(site):
    runs = []
    for number in range(RUNS):  # all of them wait before anybody is there to take them
        tasks = [site.task(f"{number}-{i}", priority=(i * 7 + number) % LEVELS) for i in range(EACH)]
        runs.append(site.begin(*tasks))
    priorities = dict(site.all("SELECT name, priority FROM orchestration_task"))
    for _ in range(WORKERS):
        site.worker("--concurrency", str(SLOTS))
    site.engine()
    assert [site.run_ended(run, LONG_S) for run in runs] == ["completed"] * RUNS
    effects = site.marks()
    assert Counter(name for name, _ in effects) == Counter(f"{n}-{i}" for n in range(RUNS) for i in range(EACH))
    assert len({pid for _, pid in effects}) == WORKERS
    done = [priorities[name] for name, _ in effects]
    assert inversions(done, WORKERS * SLOTS) == 0
    assert inversions(list(reversed(done)), WORKERS * SLOTS) > 0, "the measure finds nothing"
    assert site.count("orchestration_attempt WHERE executor = 'so_mark'") == RUNS * EACH, "no second try"
    assert site.count("orchestration_report") == site.count("procrastinate_jobs") == 0


def test_more_workers_do_more(site):
    """Slots are the limit here, as nobody knows how quick this machine is; `bench --scale-out` shows the database's."""
    site.engine()
    site.worker("--concurrency", "4")
    one = rate(site, "one")
    for _ in range(WORKERS - 1):
        site.worker("--concurrency", "4")
    assert rate(site, "four") > 1.7 * one


def rate(site, name):
    """Tasks per second of some that do nothing but wait, by the rows."""
    run = site.begin(*(site.task(f"{name}{i}", s=0.25) for i in range(48)))
    assert site.run_ended(run, LONG_S) == "completed"
    seconds = site.one(
        "SELECT extract(epoch FROM max(completed_at) - min(started_at)) FROM orchestration_attempt WHERE run_id = %s",
        run,
    )
    return 48 / float(seconds)
