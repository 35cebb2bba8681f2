"""Fork servers that are forked themselves: to load each anew would take most of the time of a start.

A process of the nursery forks a source while it has no threads; what it would start as a program (`children.spawn`) is
from then on a fork of that source, as long as the process lives.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Sequence

import psutil

from orchestration.engine import child_main, children
from orchestration.engine.child_processes import die_with_parent

ORDER_BYTES = 64 * 1024


def fork_source() -> None:
    """To be called before there are threads, event loops or connections: fork servers come from what is loaded now."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        try:
            ours.close()
            _serve(theirs)
        finally:
            os._exit(1)
    theirs.close()
    children.spawn = _Source(ours).spawn


class _Source:
    def __init__(self, source: socket.socket) -> None:
        self._source = source

    def spawn(self, control: int, preload: Sequence[str]) -> _Forked:
        """As `children.spawn`."""
        socket.send_fds(self._source, [json.dumps(list(preload)).encode()], [control])
        return _Forked(int(self._source.recv(32)))


class _Forked:
    """What a `ChildRunner` asks of a fork server: to be waited for and killed."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def wait(self, timeout: float | None = None) -> None:
        """Until it has ended. Raises subprocess.TimeoutExpired."""
        try:
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(self.pid).wait(timeout)
        except psutil.TimeoutExpired as error:
            raise subprocess.TimeoutExpired("fork server", error.seconds) from None

    def kill(self) -> None:
        """kill -9."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def _serve(orders: socket.socket) -> None:
    die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries what ends
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, ORDER_BYTES, 1)
        if not order:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            _become(descriptors[0], json.loads(order))
        os.close(descriptors[0])
        orders.sendall(str(pid).encode())


def _become(control: int, preload: Sequence[str]) -> None:
    """A fork server as one that was started as a program: a session of its own, and no descriptor but its own."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.closerange(3, control)
        os.closerange(control + 1, os.sysconf("SC_OPEN_MAX"))
        child_main.main(control, preload)
        os._exit(0)
    finally:
        os._exit(1)
