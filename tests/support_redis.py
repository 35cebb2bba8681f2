"""A Redis of a test alone, and what it knows of who listens and who tells."""

from __future__ import annotations

import contextlib
import subprocess
import time

from redis import Redis as Client
from redis.exceptions import RedisError

from orchestration.ports import free_port

START_S = 60.0
GROUP = "asgi__group__run."  # what channels_redis calls the group of a run


class Redis:
    """`with Redis(folder) as redis:` it has begun. Nothing that it holds outlives its process."""

    def __init__(self, folder):
        self.port, self.folder = free_port(), folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.kill()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--save", "", "--bind", "127.0.0.1", "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + START_S
        while self.say("PING") != "PONG":
            assert time.monotonic() < end, "Redis does not start"
            time.sleep(0.02)

    def say(self, *words):
        """The answer to a command; it waits for as long as Redis is paused."""
        command = ["redis-cli", "-p", str(self.port), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False).stdout.strip()

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def restart(self):
        self.kill()
        self.start()

    def listeners(self, run):
        """How many processes have subscribed to the nudges of *run*."""
        return int(self.say("PUBSUB", "NUMSUB", f"{GROUP}{run}").split()[-1])

    def told(self, run, wait_s):
        """Whether somebody tells of *run* within *wait_s* seconds. A pattern does not count as a listener."""
        end = time.monotonic() + wait_s
        with Client(port=self.port) as client, client.pubsub(ignore_subscribe_messages=True) as ear:
            ear.psubscribe(f"{GROUP}*")
            while (left := end - time.monotonic()) > 0:
                with contextlib.suppress(RedisError):
                    message = ear.get_message(timeout=left)
                    if message and message["channel"].decode() == f"{GROUP}{run}":
                        return True
        return False
