"""F14, F15 and F33: Redis is flushed, paused, full, restarted empty, three times in three seconds, or never there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time

import httpx
import pytest

from orchestration.ports import free_port
from tests.faults.support import until

pytestmark = [pytest.mark.fault, pytest.mark.slow]

LATE_S = 2.0 * float(os.environ.get("FAULT_PATIENCE", "3"))  # the goal is 2 s on two cores of one's own


class Redis:
    def __init__(self, folder):
        self.port, self.folder = free_port(), folder
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--save", "", "--bind", "127.0.0.1", "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: self.say("PING") == "PONG", "Redis")

    def say(self, *words):
        command = ["redis-cli", "-p", str(self.port), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout.strip()

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def restart(self):
        self.kill()
        self.start()


@pytest.fixture
def redis(tmp_path_factory):
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    made = Redis(tmp_path_factory.mktemp("redis"))
    yield made
    made.kill()


class Viewer(threading.Thread):
    """Follows a run by Server-Sent Events and notes when each came."""

    def __init__(self, place, web, run):
        super().__init__(daemon=True)
        self.url, self.token = f"{web.url}/api/v1/runs/{run}/events/", place.token
        self.seen = {}
        self.opened = 0.0
        self.start()

    def run(self):
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
        with httpx.stream("GET", self.url, headers=headers, timeout=60, trust_env=False) as lines:
            self.opened = time.time()
            for line in lines.iter_lines():
                if line.startswith("data: "):
                    event = json.loads(line[6:])
                    self.seen[event["seq"]] = (time.time(), event["kind"])

    def all_in_time(self, place, run):
        self.join(60)
        assert not self.is_alive()
        newest = place.one("SELECT seq FROM orchestration_run WHERE id = %s", run)
        assert list(self.seen) == list(range(1, newest + 1))
        marks = [line.split() for line in place.effects.read_text().splitlines()]
        began = {words[2]: float(words[4]) for words in marks if words[0] == "began"}
        # a task begins right after its start was committed; the next one's beginning is behind its predecessor's end
        starts = sorted(at for at, kind in self.seen.values() if kind == "task_started")
        late = [seen - max(at, self.opened) for seen, at in zip(starts, sorted(began.values()), strict=True)]
        assert max(late) < LATE_S, late


def chain(place, count=40):
    return place.begin(*(place.task(f"t{n}", s=0.15, after=[f"t{n - 1}"] if n else []) for n in range(count)))


def test_f14_whatever_happens_to_redis(make, redis):
    place = make(REDIS_URL=f"redis://127.0.0.1:{redis.port}/0")
    place.running()
    web = place.web()
    run = chain(place)
    viewer = Viewer(place, web, run)
    until(lambda: viewer.seen, "the first event")
    redis.say("FLUSHALL")
    redis.say("CLIENT", "PAUSE", "2000", "ALL")
    time.sleep(1)  # in the pause
    redis.say("CONFIG", "SET", "maxmemory", "1")
    redis.restart()
    redis.kill()
    assert place.run_ended(run) == "completed"
    viewer.all_in_time(place, run)
    place.right(once=[f"t{n}" for n in range(40)])


def test_f15_three_restarts_in_three_seconds_make_nobody_deaf(make, redis):
    place = make(REDIS_URL=f"redis://127.0.0.1:{redis.port}/0")
    place.running()
    web = place.web()
    run = chain(place, 50)
    viewer = Viewer(place, web, run)
    until(lambda: viewer.seen, "the first event")
    for _ in range(3):
        redis.restart()
    assert place.run_ended(run) == "completed"
    viewer.all_in_time(place, run)
    second = chain(place, 5)
    follower = Viewer(place, web, second)
    assert place.run_ended(second) == "completed"
    follower.join(60)
    place.right()


def test_f33_a_layer_that_carries_nothing(make):
    """Redis was never there: viewers look for themselves."""
    place = make(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    place.running()
    web = place.web()
    run = chain(place, 15)
    viewer = Viewer(place, web, run)
    assert place.run_ended(run) == "completed"
    viewer.all_in_time(place, run)
    place.right()
