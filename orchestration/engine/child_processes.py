"""What the children ask of the operating system: adopting orphans, finding and killing descendants."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time

import psutil

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
KILL_DEADLINE_S = 10.0


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    """From now on descendants whose parent has died become children of this process (Linux only)."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies: a second line behind the supervisor (Linux only)."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def no_core_files() -> None:
    """A crash leaves no memory image on disk."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def descendants(*, recursive: bool = True) -> list[int]:
    """The process ids of everything that stems from this process and is alive; or of its children only."""
    with contextlib.suppress(psutil.Error):
        return [child.pid for child in psutil.Process().children(recursive=recursive)]
    return []


def send(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to each process that still exists."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def reap() -> tuple[bool, dict[int, int]]:
    """Whether this process still has children, and the wait statuses of those that have ended."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False, ended
        if not pid:
            return True, ended
        ended[pid] = status


def kill_descendants() -> dict[int, int]:
    """Kill everything that stems from this process, however it hides, and wait until it is gone. Wait statuses.

    A process without children has no descendants, since it adopts orphans: that is what ends the loop.
    """
    statuses: dict[int, int] = {}
    deadline, pause_s = time.monotonic() + KILL_DEADLINE_S, 0.001
    while True:
        alive, ended = reap()
        statuses |= ended
        if not alive or time.monotonic() > deadline:
            return statuses
        send(descendants(), signal.SIGKILL)
        time.sleep(pause_s)
        pause_s = min(0.05, pause_s * 2)
