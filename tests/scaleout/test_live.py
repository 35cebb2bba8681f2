"""Pages of a process without an engine: viewers see what happens elsewhere, with Redis, without, and when it dies."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time

import httpx
import pytest

from orchestration.ports import free_port
from tests.scaleout.support import environment, signed_in, until
from tests.support_needs import need, redis_missing
from tests.support_postgres import new_database, require
from tests.support_processes import ROOT
from tests.support_redis import Redis

pytestmark = [pytest.mark.slow, pytest.mark.fault]


class Viewer(threading.Thread):
    """Follows a run's events over Server-Sent Events, and notes when each came."""

    def __init__(self, url, run_id):
        super().__init__()
        self.url, self.run_id = url, run_id
        self.client = signed_in(url, accept="text/event-stream, */*")
        self.seen: dict[int, float] = {}
        self.open = threading.Event()

    def run(self):
        with self.client.stream("GET", f"/api/v1/runs/{self.run_id}/events/") as lines:
            self.status = lines.status_code
            self.open.set()
            for line in lines.iter_lines():
                if line.startswith("data: "):
                    self.seen[json.loads(line[6:])["seq"]] = time.time()

    def delays(self, site):
        """Seconds from the commit of each event until it was here."""
        stored = site.all("SELECT seq, at FROM orchestration_event WHERE run_id = %s", self.run_id)
        assert self.seen.keys() == {seq for seq, _ in stored}
        return {seq: self.seen[seq] - at.timestamp() for seq, at in stored}


@contextlib.contextmanager
def watching(site, url, run_id):
    viewer = Viewer(url, run_id)
    viewer.start()
    viewer.open.wait(60)
    assert viewer.status == 200
    yield viewer
    viewer.join(120)
    viewer.client.close()
    assert not viewer.is_alive(), "the stream did not end with the run"


def run_of_two_seconds(site):
    return site.begin(site.task("first", "so_hold"), *(site.task(f"t{i}", s=0.2, after=["first"]) for i in range(20)))


def test_without_redis_the_pages_follow_the_event_table(site):
    site.engine()
    site.worker("--concurrency", "2")
    url = site.web()
    run = run_of_two_seconds(site)
    site.begun("first")
    with watching(site, url, run) as viewer:
        since = site.one("SELECT max(seq) FROM orchestration_event WHERE run_id = %s", run)
        site.go()
        assert site.run_ended(run) == "completed"
    late = [delay for seq, delay in viewer.delays(site).items() if seq > since]
    assert max(late) < 1.5
    assert sorted(late)[len(late) // 2] < 0.5


@pytest.fixture
def redis(tmp_path):
    need(redis_missing())
    with Redis(tmp_path) as made:
        yield made


def test_redis_flushed_and_stopped_loses_nothing(site, redis):
    site.environment |= {"REDIS_URL": redis.url}
    site.engine()
    site.worker("--concurrency", "2")
    url = site.web()
    run = run_of_two_seconds(site)
    site.begun("first")
    with watching(site, url, run) as viewer:
        since = site.one("SELECT max(seq) FROM orchestration_event WHERE run_id = %s", run)
        until(lambda: redis.listeners(run) == 1, "a subscription at Redis")
        site.go()
        redis.say("FLUSHALL")
        assert redis.told(run, 20), "the engine tells nothing"
        until(lambda: site.count("orchestration_attempt WHERE status = 'completed'") >= 6, "some work")
        redis.kill()
        assert site.run_ended(run) == "completed"
    late = [delay for seq, delay in viewer.delays(site).items() if seq > since]
    assert max(late) < 2


def test_two_web_processes_may_meet_an_empty_database(tmp_path):
    require()
    url, ports = new_database(), [free_port(), free_port()]
    variables = environment(url, tmp_path)
    started = [
        subprocess.Popen(
            [sys.executable, "manage.py", "up", "--no-engine", "--port", str(port)],
            cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for port in ports
    ]  # fmt: skip
    try:
        for port in ports:
            until(lambda port=port: answers(port), "a page", 180)
    finally:
        for process in started:
            process.terminate()
        output = "".join(process.communicate(timeout=120)[0] for process in started)
    assert [process.returncode for process in started] == [0, 0], output
    assert output.count("First user: admin") == 1


def answers(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.TransportError:
        return False
