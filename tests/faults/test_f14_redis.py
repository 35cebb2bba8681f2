"""F14, F15 and F33: Redis is flushed, paused, full, restarted empty, three times in three seconds, or never there."""

from __future__ import annotations

import json
import os
import threading
import time

import httpx
import pytest

from orchestration.ports import free_port
from tests.faults.support import until
from tests.support_needs import need, redis_missing
from tests.support_redis import Redis

pytestmark = [pytest.mark.fault, pytest.mark.slow]

LATE_S = 2.0 * float(os.environ.get("FAULT_PATIENCE", "3"))  # the goal is 2 s on two cores of one's own
HOLD_S = float(os.environ.get("FAULT_PAUSE_S", "3"))  # that Redis is paused


@pytest.fixture
def redis(tmp_path_factory):
    need(redis_missing())
    with Redis(tmp_path_factory.mktemp("redis")) as made:
        yield made


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


def chain(place, count):
    return place.begin(*(place.task(f"t{n}", s=0.15, after=[f"t{n - 1}"] if n else []) for n in range(count)))


def some_came(viewer, during):
    """Hold what is going on until the viewer has seen a task begin and end in it."""
    before = len(viewer.seen)
    until(lambda: len(viewer.seen) >= before + 3, f"news {during}")


def in_touch(redis, run, after):
    """The process that serves pages has subscribed at Redis, and the engine tells: nobody lives by looking alone."""
    until(lambda: redis.listeners(run) == 1, f"a subscription {after}")
    assert redis.told(run, LATE_S * 5), f"the engine tells nothing {after}"


def test_f14_whatever_happens_to_redis(make, redis):
    count = 75 + round(HOLD_S * 6)
    place = make(REDIS_URL=redis.url)
    place.running()
    web = place.web()
    run = chain(place, count)
    viewer = Viewer(place, web, run)
    until(lambda: viewer.seen, "the first event")
    in_touch(redis, run, "at first")
    redis.say("FLUSHALL")
    some_came(viewer, "after it was flushed")
    paused = time.time()
    redis.say("CLIENT", "PAUSE", str(round(HOLD_S * 1000)), "ALL")
    assert redis.say("PING") == "PONG"  # the end of the pause
    assert [at for at, _ in viewer.seen.values() if paused < at < paused + HOLD_S], "nothing came in the pause"
    in_touch(redis, run, "after the pause")
    redis.say("CONFIG", "SET", "maxmemory", "1")
    assert "OOM" in redis.say("SET", "a", "b")
    some_came(viewer, "while it was full")
    in_touch(redis, run, "while it was full")
    redis.restart()
    some_came(viewer, "after it was restarted empty")
    in_touch(redis, run, "after it was restarted empty")
    redis.kill()
    some_came(viewer, "after it was stopped")
    assert place.run_ended(run) == "completed"
    viewer.all_in_time(place, run)
    place.right(once=[f"t{n}" for n in range(count)])


def test_f15_three_restarts_in_three_seconds_make_nobody_deaf(make, redis):
    place = make(REDIS_URL=redis.url)
    place.running()
    web = place.web()
    run = chain(place, 60)
    viewer = Viewer(place, web, run)
    until(lambda: viewer.seen, "the first event")
    in_touch(redis, run, "at first")
    for _ in range(3):
        redis.restart()
    in_touch(redis, run, "after three restarts")
    assert place.run_ended(run) == "completed"
    viewer.all_in_time(place, run)
    place.right()


def test_f33_a_layer_that_carries_nothing(make):
    """It takes every nudge and gives none, and says nothing: viewers look for themselves."""
    place = make()
    place.nudges = False
    followed(place)
    assert set((place.folder / "nudges").read_text().split()) == {"told", "listened"}


def test_f33_a_redis_that_was_never_there(make):
    followed(make(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0"))


def followed(place):
    place.running()
    web = place.web()
    run = chain(place, 15)
    viewer = Viewer(place, web, run)
    assert place.run_ended(run) == "completed"
    viewer.all_in_time(place, run)
    place.right()
