"""Waiting for what a measurement begins or ends with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import psutil

POLL_S = 0.1


def until(condition: Callable[[], bool], seconds: float, what: str, every_s: float = POLL_S) -> None:
    """Wait for *condition*. Raises RuntimeError, which names *what*, after so many *seconds*."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not come within {seconds:g} s")
        time.sleep(every_s)


def at_rest(processes: Sequence[psutil.Process], seconds: float) -> bool:
    """Whether they need hardly any processor time for so many *seconds* from now on, at least a tenth of one."""
    before = sum(map(cpu_s, processes))
    time.sleep(seconds)
    return sum(map(cpu_s, processes)) - before < seconds / 10


def cpu_s(process: psutil.Process) -> float:
    """Processor time of *process* alone; the system counts it in hundredths of a second."""
    times = process.cpu_times()
    return round(times.user + times.system, 2)
