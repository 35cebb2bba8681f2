"""Several workers on one database: everything once, in the order of priorities, and in good order to the end."""

from __future__ import annotations

import json
import signal
from collections import Counter

import psutil
import pytest

from tests.scaleout.support import until

pytestmark = pytest.mark.slow


def test_three_workers_do_each_task_once(site):
    site.engine()
    for _ in range(3):
        site.worker("--concurrency", "5")
    first = [site.task(f"a{i}", priority=i % 4, s=0.01) for i in range(300)]
    second = [site.task(f"b{i}", priority=i % 4, after=[f"a{i}", f"a{i + 1}"]) for i in range(290)]
    run = site.begin(*first, *second)
    assert site.run_ended(run) == "completed"
    effects = site.marks()
    assert Counter(name for name, _ in effects) == Counter(task["name"] for task in first + second)
    assert len({pid for _, pid in effects}) == 3
    results = site.one(
        "SELECT (a.result::json -> 'got')::text "
        "FROM orchestration_attempt a JOIN orchestration_task t ON t.id = a.task_id "
        "WHERE t.name = 'b7'"
    )
    assert [got["name"] for got in json.loads(results)] == ["a7", "a8"]
    assert site.count("orchestration_report") == 0
    assert site.count("procrastinate_jobs") == 0


def test_priorities_hold_over_two_workers_with_one_slot_each(site):
    site.engine()
    for _ in range(2):
        site.worker("--concurrency", "1")
    run = site.begin(*(site.task(f"t{i}", priority=i % 4, s=0.02) for i in range(40)))
    assert site.run_ended(run) == "completed"
    priorities = dict(site.all("SELECT name, priority FROM orchestration_task"))
    started = site.all(
        "SELECT t.priority FROM orchestration_event e JOIN orchestration_task t ON t.id = e.task_id "
        "WHERE e.kind = 'task_started' ORDER BY e.seq"
    )
    assert started == sorted(started)
    done = [priorities[name] for name, _ in site.marks()]
    later = [max(done[:i], default=0) - priority for i, priority in enumerate(done)]
    assert sum(step > 0 for step in later) <= 2 * 3  # at each change of priority two tasks may be under way


def test_queues_go_to_the_workers_that_serve_them(tmp_path, site):
    site.environment |= {"APFLOW_QUEUES": "so_mark=marks"}
    site.engine()
    marks, rest = site.worker("--queues", "marks"), site.worker("--queues", "default")
    run = site.begin(site.task("mark"), site.task("child", "so_child", s=0))
    assert site.run_ended(run) == "completed"
    pids = dict(site.marks())
    assert pids["mark"] == marks.pid
    assert pids["child"] != rest.pid
    holders = {name: site.attempts(name)[0][2].split(":")[1] for name in ("mark", "child")}
    assert holders == {"mark": str(marks.pid), "child": str(rest.pid)}


def test_a_task_without_a_worker_for_its_queue_waits(site):
    site.environment |= {"APFLOW_QUEUES": "so_mark=marks"}
    site.engine()
    site.worker("--queues", "default")
    run = site.begin(site.task("mark"), site.task("child", "so_child", s=0))
    until(lambda: site.attempts("child") and site.attempts("child")[0][1] == "completed", "the other task")
    assert site.attempts("mark") == []
    site.worker("--queues", "marks")
    assert site.run_ended(run) == "completed"


@pytest.mark.parametrize("executor", ["so_hold", "so_child"])
def test_a_running_task_of_a_worker_is_cancelled_within_two_seconds(site, executor):
    site.engine()
    site.worker("--concurrency", "2")
    run = site.begin(site.task("long", executor))
    site.begun("long")
    site.ask("cancel", run)
    assert site.run_ended(run, deadline_s=2) == "cancelled"
    assert site.marks() == []


@pytest.mark.fault
def test_sigterm_lets_short_work_end_and_gives_long_work_back(site):
    site.environment |= {"APFLOW_SHUTDOWN_S": "1.5"}
    site.engine()
    worker = site.worker("--concurrency", "4")
    run = site.begin(site.task("short", "so_hold", s=1), site.task("long", "so_hold"), site.task("child", "so_child"))
    for name in ("short", "long", "child"):
        site.begun(name)
    children = psutil.Process(worker.pid).children(recursive=True)
    assert children
    worker.signal(signal.SIGTERM)
    assert site.ended(worker, 10) == 0
    until(lambda: site.attempts("long")[0][1] == "cancelled", "the end of what was given back")
    assert site.attempts("short") == [(1, "completed", *site.attempts("short")[0][2:])]
    assert [a[3] for a in (site.attempts("long")[0], site.attempts("child")[0])] == ["released", "released"]
    site.go()
    site.worker("--concurrency", "4")
    assert site.run_ended(run) == "completed"
    assert site.all("SELECT max(try_number) FROM orchestration_attempt") == [(1,)]
    assert not psutil.wait_procs(children, timeout=30)[1], "processes of the worker live on"
