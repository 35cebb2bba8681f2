"""What a server costs that has nothing to do: `manage.py up` as a process of its own, on a database of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

import psutil
from django.conf import settings

READY = "Serving "  # what `up` says once it can be asked
READY_S = 300.0  # a busy machine takes its time for the tables
SETTLE_S = 5.0  # until the start is over: imports of children, first checkpoints
STOP_S = 30.0
MB = 1024 * 1024


def measure_idle(seconds: float) -> dict[str, Any]:
    """CPU of `up` and its children over *seconds* without a run or a viewer, and their memory at the end.

    Raises RuntimeError when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="apflow-bench-") as folder:
        command = [sys.executable, "-m", "django", "up", "--port", str(_free_port())]
        environment = {"DJANGO_SETTINGS_MODULE": "apflow_site.settings", "APFLOW_DATA_DIR": folder}
        with psutil.Popen(
            command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as server:
            try:
                _wait_until_ready(server)
                time.sleep(SETTLE_S)
                return _figures(server, seconds)
            finally:
                _stop(server)


def _figures(server: psutil.Process, seconds: float) -> dict[str, Any]:
    before, began = _cpu_s(server), time.monotonic()
    time.sleep(seconds)
    cpu_s, passed = _cpu_s(server) - before, time.monotonic() - began
    memory = sum(process.memory_info().rss for process in (server, *server.children(recursive=True)))
    return {
        "seconds": round(passed, 1),
        "cpu_s": round(cpu_s, 3),
        "percent_of_a_core": round(100 * cpu_s / passed, 3),
        "memory_mb": round(memory / MB, 1),
    }


def _cpu_s(server: psutil.Process) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in (server, *server.children(recursive=True)))


def _wait_until_ready(server: psutil.Popen) -> None:
    """Then what it says is read on and dropped, so that it never waits for us."""
    ready = threading.Event()
    said: list[str] = []

    def listen() -> None:
        for line in server.stdout:
            if not ready.is_set():
                said.append(line)
            if line.startswith(READY):
                ready.set()

    threading.Thread(target=listen, daemon=True).start()
    end = time.monotonic() + READY_S
    while not ready.wait(0.1):
        if server.poll() is not None or time.monotonic() > end:
            raise RuntimeError("the server did not start:\n" + "".join(said)[-2000:])


def _stop(server: psutil.Popen) -> None:
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(STOP_S)
        except psutil.TimeoutExpired:
            server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
