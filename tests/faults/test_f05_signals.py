"""F5 and F6: signals during no, one and many tasks, a second one, and an engine that dies before its children."""

from __future__ import annotations

import signal
import time

import psutil
import pytest

from tests.settings import POSTGRES

pytestmark = [pytest.mark.fault, pytest.mark.slow]


def family(child):
    return psutil.Process(child.pid).children(recursive=True)


def busy(place, count):
    """A run in which *count* tasks are under way, half of them in processes of their own."""
    tasks = [place.task(f"t{n}", "soak_child" if n % 2 else "soak_mark", hold=True) for n in range(count)]
    run = place.begin(*tasks)
    for n in range(count):
        place.begun(f"t{n}")
    return run


@pytest.mark.parametrize(
    ("number", "count"), [(signal.SIGTERM, 1), (signal.SIGTERM, 4), (signal.SIGINT, 2), (signal.SIGHUP, 2)]
)
def test_f05_one_signal_gives_back_what_runs(make, number, count):
    place = make(APFLOW_PROCESS_SLOTS="2")
    engine = place.running()
    run = busy(place, count)
    processes = family(engine)
    engine.signal(number)
    assert place.ended(engine) == 0, place.log(engine.name)
    assert not psutil.wait_procs(processes, timeout=5)[1], "no orphans"
    assert place.all(
        "SELECT DISTINCT status, error_code FROM orchestration_attempt WHERE number = 1 AND executor <> ''"
    ) == [("cancelled", "released")]
    place.go()
    place.running()
    assert place.run_ended(run) == "completed"
    assert place.one("SELECT max(try_number) FROM orchestration_attempt") == 1, "no try was used"
    place.right()


def test_f05_short_work_may_end(make):
    place = make(APFLOW_SHUTDOWN_S="20")
    engine = place.running()
    run = busy(place, 2)
    engine.signal(signal.SIGTERM)
    place.go()
    assert place.ended(engine) == 0
    assert place.run_ended(run) == "completed" or place.all("SELECT DISTINCT status FROM orchestration_attempt") == [
        ("completed",)
    ]
    place.running()
    assert place.run_ended(run) == "completed"
    place.right(once=["t0", "t1"])


def test_f05_a_second_signal_is_as_safe_as_a_kill(make):
    place = make(APFLOW_SHUTDOWN_S="60")
    engine = place.running()
    run = busy(place, 2)
    processes = family(engine)
    engine.signal(signal.SIGTERM)
    time.sleep(0.3)  # a second signal that comes before the first is handled would be the same one
    began = time.monotonic()
    engine.signal(signal.SIGTERM)
    assert place.ended(engine) == -signal.SIGTERM
    assert time.monotonic() - began < 5
    assert not psutil.wait_procs(processes, timeout=5)[1]
    place.go()
    place.running()
    assert place.run_ended(run) == "completed"
    place.right()


def children_end_with(place, owner, start):
    """Everything that *owner* has started ends with it, and another one, by *start*, does its work."""
    run = busy(place, 4)
    processes = family(owner)
    assert len(processes) >= 5, "fork server, supervisors, workers"
    place.kill(owner)
    assert not psutil.wait_procs(processes, timeout=5)[1], f"alive 5 s after their {owner.name}"
    place.go()
    start()
    assert place.run_ended(run) == "completed"
    place.right()


def test_f06_children_end_with_their_engine(place):
    children_end_with(place, place.running(), place.running)


@pytest.mark.skipif(not POSTGRES, reason="only on PostgreSQL: has worker processes")
def test_f06_children_end_with_their_worker(place):
    place.engine()
    children_end_with(place, place.worker(), place.worker)
