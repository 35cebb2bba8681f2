"""Processes and messages that die, hang, get lost or come twice: every task ends, once, and the log says how."""

from __future__ import annotations

import signal
import time
from collections import Counter

import pytest

from tests.scaleout.support import Site, until
from tests.support_postgres import Cluster

pytestmark = [pytest.mark.slow, pytest.mark.fault]


def test_what_a_killed_worker_ran_is_taken_over(site):
    site.engine()
    first, second = site.worker("--concurrency", "4"), site.worker("--concurrency", "4")
    run = site.begin(*(site.task(f"t{i}", "so_hold") for i in range(4)))
    for i in range(4):
        site.begun(f"t{i}")
    held = {i for i in range(4) if site.holder(f"t{i}") == first.pid}
    site.kill(first)
    for i in held:
        site.begun(f"t{i}", times=2)
    site.go()
    assert site.run_ended(run) == "completed"
    for i in range(4):
        attempts = site.attempts(f"t{i}")
        codes = ["engine_lost", ""] if i in held else [""]
        assert [code for *_, code in attempts] == codes
        assert int(attempts[-1][2].split(":")[1]) == second.pid or i not in held
    assert site.all("SELECT max(try_number) FROM orchestration_attempt") == [(1,)]


def test_within_twenty_seconds_with_the_settings_that_people_get(site):
    for name in ("APFLOW_LEASE_S", "APFLOW_HEARTBEAT_S", "APFLOW_SWEEP_S"):
        del site.environment[name]
    site.engine()
    first = site.worker("--concurrency", "1")
    run = site.begin(site.task("long", "so_hold"))
    site.begun("long")
    site.worker("--concurrency", "2")
    lose_jobs(site, "true")
    unheard = site.begin(site.task("unheard", "so_hold"))
    until(lambda: site.attempts("unheard"), "a job that nobody hears of")
    site.rows.execute("DROP TRIGGER lose ON procrastinate_jobs")
    began = time.monotonic()
    site.kill(first)
    until(lambda: len(site.marks("began")) == 3, "the take-over, and the job that was handed out again", 20)
    assert time.monotonic() - began > 5, "leases are longer than this"
    site.go()
    assert {site.run_ended(run), site.run_ended(unheard)} == {"completed"}
    assert [code for *_, code in site.attempts("unheard")] == ["released", ""]


def lose_jobs(site, which):
    """Jobs for which the condition *which* holds never come into the queue."""
    site.rows.execute(
        f"""CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF {which} THEN RETURN NULL; END IF; RETURN NEW; END $$"""
    )
    site.rows.execute("CREATE TRIGGER lose BEFORE INSERT ON procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION lose()")


def test_a_second_engine_takes_over_within_five_seconds(site):
    leader = site.engine()
    site.worker("--concurrency", "4")
    standby = site.manage("engine", says="Standing by")
    run = site.begin(site.task("long", "so_hold"), *(site.task(f"t{i}", after=["long"]) for i in range(20)))
    site.begun("long")
    site.kill(leader)
    site.go()  # reported while nobody leads
    until(lambda: site.count("orchestration_attempt WHERE status = 'completed'") > 0, "an engine that leads", 5)
    assert site.run_ended(run) == "completed"
    assert [a[1] for a in site.attempts("long")] == ["completed"], "a worker's work survives the engine"
    standby.signal(signal.SIGTERM)
    assert site.ended(standby, 10) == 0


def test_an_engine_that_starts_again_goes_on_at_once(site):
    engine = site.engine()
    site.worker("--concurrency", "2")
    run = site.begin(site.task("long", "so_hold"), site.task("next", after=["long"]))
    site.begun("long")
    site.kill(engine)
    site.engine()
    site.go()
    assert site.run_ended(run, deadline_s=5) == "completed"
    assert len(site.attempts("long")) == 1


def test_a_worker_that_was_stopped_for_longer_than_its_lease_is_refused(site):
    site.engine()
    first = site.worker("--concurrency", "1")
    run = site.begin(site.task("long", "so_hold"))
    site.begun("long")
    first.signal(signal.SIGSTOP)
    site.worker("--concurrency", "1")
    site.begun("long", times=2)
    first.signal(signal.SIGCONT)
    task_id = site.one("SELECT id FROM orchestration_task WHERE name = 'long'")
    site.ask("forge", run, task_id.hex, 1)  # whatever the first would say now
    until(lambda: "late_result" in site.kinds(run), "the refusal")
    site.go()
    assert site.run_ended(run) == "completed"
    # on a slow machine the second worker is late once, and what was handed out is given back
    attempts = [(status, code) for _, status, _, code in site.attempts("long") if code != "released"]
    assert attempts == [("failed", "engine_lost"), ("completed", "")]
    told = "SELECT result::json ->> 'attempt' FROM orchestration_attempt WHERE status = %s AND executor = %s"
    assert site.one(told, "completed", "so_hold") == "1"
    assert site.kinds(run).count("task_completed") == 2  # the task and its group
    assert Counter(name for name, _ in site.marks())["long"] == 1, "the first was stopped before it had done anything"


def test_jobs_that_come_twice_late_or_for_nothing_do_no_harm(site):
    site.rows.execute(
        """CREATE FUNCTION twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF pg_trigger_depth() = 1 THEN
          INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args)
          SELECT NEW.queue_name, NEW.task_name, NEW.priority - n, NEW.args FROM generate_series(1, 2) n;
        END IF; RETURN NEW; END $$"""
    )
    site.rows.execute("CREATE TRIGGER twice AFTER INSERT ON procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION twice()")
    site.rows.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('default', 'apflow.attempt', "
        "'{\"attempts\": [[\"00000000000000000000000000000000\", 1]]}'), ('default', 'apflow.attempt', '{}'), "
        "('default.async', 'somebody.else', '{}')"
    )
    site.engine()
    for _ in range(2):
        site.worker("--concurrency", "4")
    run = site.begin(*(site.task(f"t{i}") for i in range(60)))
    assert site.run_ended(run) == "completed"
    assert Counter(name for name, _ in site.marks()) == Counter(f"t{i}" for i in range(60))
    until(lambda: site.count("procrastinate_jobs") == 0, "the end of all jobs")


def test_jobs_that_get_lost_are_handed_out_again(site):
    lose_jobs(site, "NEW.id % 3 = 0")
    site.engine()
    site.worker("--concurrency", "8")
    run = site.begin(*(site.task(f"t{i}") for i in range(12)))
    assert site.run_ended(run) == "completed"
    assert Counter(name for name, _ in site.marks()) == Counter(f"t{i}" for i in range(12))
    assert site.count("orchestration_attempt WHERE error_code = 'released'") > 0
    assert site.one("SELECT extract(epoch FROM completed_at - started_at) FROM orchestration_run") < 20
    assert site.all("SELECT max(try_number) FROM orchestration_attempt") == [(1,)]


def test_a_worker_that_cannot_renew_stops_itself(site):
    site.engine()
    worker = site.worker("--concurrency", "2")
    run = site.begin(site.task("long", "so_hold"))
    site.begun("long")
    lock = site.rows.transaction()
    with lock:  # nobody can write attempts for longer than the lease
        site.rows.execute("LOCK TABLE orchestration_attempt IN ACCESS EXCLUSIVE MODE")
        until(lambda: "leases cannot be renewed" in site.log("worker"), "the worker's own stop", 10)
    assert worker.code is None
    site.begun("long", times=2)
    site.go()
    assert site.run_ended(run) == "completed"
    assert Counter(name for name, _ in site.marks())["long"] == 1


def test_a_database_that_is_killed_and_comes_back_loses_nothing(tmp_path, nursery):
    with Cluster() as cluster, Site(tmp_path, nursery, cluster, APFLOW_LEASE_S="15") as site:
        site.engine()
        for _ in range(2):
            site.worker("--concurrency", "4")
        slow = [site.task(f"t{i}", s=0.1) for i in range(60)]
        run = site.begin(site.task("long", "so_hold"), *slow)
        site.begun("long")
        until(lambda: len(site.marks()) > 10, "some work")
        cluster.kill()
        cluster.start()
        site.reconnect()
        site.go()
        assert site.run_ended(run) == "completed"
        done = Counter(name for name, _ in site.marks())
        assert done.keys() == {"long", *(f"t{i}" for i in range(60))}
        committed = site.all("SELECT t.name, count(*) FROM orchestration_event e JOIN orchestration_task t "
                             "ON t.id = e.task_id WHERE e.kind = 'task_completed' GROUP BY t.name")  # fmt: skip
        assert set(dict(committed).values()) == {1}
        assert [a[1] for a in site.attempts("long")] == ["completed"], "its worker has never lost the lease"


def test_a_report_that_cannot_be_stored_fails_its_task_alone(site):
    site.engine()
    site.worker("--concurrency", "4")
    run = site.begin(*(site.task(name, "so_hold") for name in ("bad", "worse", "good")))
    for name in ("bad", "worse", "good"):
        site.begun(name)
    for name, body in (("bad", '["completed", "{no json", null, "", "", "", true, 0, ""]'), ("worse", "no json")):
        site.rows.execute(
            "INSERT INTO orchestration_report (run_id, task_id, attempt, worker, body, created_at) "
            "SELECT run_id, id, attempt, 'w', %s, now() FROM orchestration_task WHERE name = %s", (body, name),
        )  # fmt: skip
        site.rows.execute("NOTIFY apflow_reports")
    until(
        lambda: [a[3] for name in ("bad", "worse") for a in site.attempts(name)] == ["unstorable_report"] * 2, "an end"
    )
    site.go()
    assert site.run_ended(run) == "failed"
    assert site.attempts("good")[0][1] == "completed"
