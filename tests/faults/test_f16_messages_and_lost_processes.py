"""F4, F18, F20: children and workers that are killed, jobs that come in another order, processes that freeze."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from orchestration.soak.processes import Trouble
from tests.faults.support import Place, until
from tests.settings import POSTGRES

pytestmark = [pytest.mark.fault, pytest.mark.slow]

on_postgresql = pytest.mark.skipif(not POSTGRES, reason="only on PostgreSQL: has worker processes and several engines")


def pid_of(place, name):
    lines = [line.split() for line in place.effects.read_text().splitlines()]
    return next(int(words[3]) for words in reversed(lines) if words[:3:2] == ["began", name])


def test_f04_a_killed_child_is_tried_again_or_fails_by_its_policy(place):
    place.running()
    again = {"max_attempts": 2, "backoff": {"strategy": "fixed", "base_s": 0}}
    run = place.begin(
        place.task("once", "soak_child", hold=True), place.task("twice", "soak_child", hold=True, **again),
        place.task("other", hold=True),
    )  # fmt: skip
    for name in ("once", "twice", "other"):
        place.begun(name)
    began = time.monotonic()
    for name in ("once", "twice"):
        os.kill(pid_of(place, name), signal.SIGKILL)
    place.begun("twice", times=2)
    assert time.monotonic() - began < 20
    place.go()
    assert place.run_ended(run) == "failed"
    assert [a[1:3] for a in place.attempts("once")] == [("failed", "worker_lost")]
    assert [a[1:3] for a in place.attempts("twice")] == [("failed", "worker_lost"), ("completed", "")]
    assert [a[1:3] for a in place.attempts("other")] == [("completed", "")]
    place.right()


@on_postgresql
def test_f04_worker_and_child_both(place):
    place.engine()
    worker = place.worker()
    run = place.begin(place.task("c", "soak_child", hold=True), place.task("l", hold=True))
    place.begun("c")
    place.begun("l")
    began = time.monotonic()
    os.kill(pid_of(place, "c"), signal.SIGKILL)
    place.kill(worker)
    place.worker()
    place.begun("l", times=2)
    assert time.monotonic() - began < 20
    place.go()
    ended = place.run_ended(run)
    assert [a[1:3] for a in place.attempts("l")] == [("failed", "engine_lost"), ("completed", "")]
    if len(place.attempts("c")) == 1:  # the worker could still say what became of its child
        assert (place.attempts("c")[0][1:3], ended) == (("failed", "worker_lost"), "failed")
    else:
        assert [a[1:3] for a in place.attempts("c")] == [("failed", "engine_lost"), ("completed", "")]
        assert ended == "completed"
    place.right()


@on_postgresql
def test_f18_jobs_in_another_order(place):
    """Their priorities are dice: the order of the claims and the dependencies hold all the same."""
    with place.rows() as rows:
        rows.execute(
            """CREATE FUNCTION shuffle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            NEW.priority := floor(random() * 100); RETURN NEW; END $$"""
        )
        rows.execute(
            "CREATE TRIGGER shuffle BEFORE INSERT ON procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION shuffle()"
        )
    place.engine()
    for _ in range(2):
        place.worker(concurrency=1)
    first = [place.task(f"a{n}", priority=n % 4, s=0.02) for n in range(24)]
    run = place.begin(*first, *(place.task(f"b{n}", after=[f"a{n}", f"a{n + 1}"]) for n in range(20)))
    assert place.run_ended(run) == "completed"
    started = place.all(
        "SELECT t.priority FROM orchestration_event e JOIN orchestration_task t ON t.id = e.task_id "
        "WHERE e.kind = 'task_started' AND left(t.name, 1) = 'a' ORDER BY e.seq"
    )
    assert started == sorted(started), "claimed best first"
    place.right(once=[one["name"] for one in first])


def test_f20_a_server_that_freezes_and_wakes(place):
    """Alone it loses nothing: nobody else may have its tasks."""
    engine = place.running()
    run = place.begin(*(place.task(f"t{n}", s=0.05, after=[f"t{n - 1}"] if n else []) for n in range(20)))
    place.wait(lambda: place.marks()["t2"], "some work")
    engine.signal(signal.SIGSTOP)
    time.sleep(6)  # twice the lease: the fault itself
    engine.signal(signal.SIGCONT)
    assert place.run_ended(run) == "completed"
    place.right(once=[f"t{n}" for n in range(20)])
    assert place.count("orchestration_attempt WHERE error_code <> ''") == 0


@on_postgresql
def test_f20_a_leader_that_freezes_is_replaced_and_resigns_when_it_wakes(make, nursery, template, tmp_path_factory):
    """It keeps its connection, and with it the lock: the engine on another machine cuts it off after a lease."""
    place = make(APFLOW_LEASE_S="4")
    leader = place.engine("--here")
    folder = tmp_path_factory.mktemp("other-machine")
    with Place(folder, nursery, template, {"APFLOW_LEASE_S": "4"}, url=place.environment["DATABASE_URL"]) as other:
        standby = other.start("engine", "engine", "--here")
        other.says(standby, "Standing by")
        run = place.begin(place.task("long", hold=True), place.task("next", after=["long"]))
        place.begun("long")
        leader.signal(signal.SIGSTOP)
        began = time.monotonic()
        other.says(standby, "leads now", 20)
        place.begun("long", times=2)
        print(f"\ntaken over after {time.monotonic() - began:.1f} s of a lease of 4 s")
        leader.signal(signal.SIGCONT)
        place.says(leader, "Resigned", 20)
        place.go()
        assert place.run_ended(run) == "completed"
        assert leader.code is None
        assert [a[1:3] for a in place.attempts("long")] == [("failed", "engine_lost"), ("completed", "")]
        place.right(once=["next"])
        other.kill(standby)
        place.says(leader, "leads now", 20)


@on_postgresql
def test_f20_a_worker_that_freezes_is_refused(place):
    """Its result comes after its lease was given away: logged, and it changes nothing."""
    place.engine()
    frozen = place.worker(concurrency=1)
    run = place.begin(place.task("long", "soak_child", hold=True))
    place.begun("long")
    child = psutil.Process(pid_of(place, "long"))
    frozen.signal(signal.SIGSTOP)
    place.worker(concurrency=1)
    place.begun("long", times=2)
    place.go()
    assert place.run_ended(run) == "completed"
    frozen.signal(signal.SIGCONT)
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the end of what it ran")
    assert [a[1:3] for a in place.attempts("long")] == [("failed", "engine_lost"), ("completed", "")]
    assert place.count("orchestration_event WHERE kind = 'task_completed'") == 2, "the task and its group"
    place.right()


def test_trouble_is_said(place):
    """The harness itself: a process that ends, or never says its word, fails the test that waits for it."""
    with pytest.raises(Trouble, match="ended with"):
        place.says(place.start("no", "no_such_command"), "anything")
