"""The fork server: a process without threads that has everything imported and forks one supervisor per attempt."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import socket
import time
from collections.abc import Sequence

import django

from orchestration.engine.child_processes import adopt_orphans, descendants, no_core_files, reap
from orchestration.engine.child_supervisor import supervise

READY = b"R"
END_DEADLINE_S = 12.0  # for the supervisors, which kill their attempts when the engine has gone


def main(control_fd: int, preload: Sequence[str]) -> None:
    """Serve until the engine closes the other end of *control_fd*. Each message brings the socket of one attempt."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a service manager signals the whole group; the engine decides
    django.setup()
    for module in preload:
        importlib.import_module(module)
    adopt_orphans()
    no_core_files()
    gc.collect()
    gc.freeze()  # so that collections in the children do not copy what they share
    # a broken pipe: the engine has stopped meanwhile, and nobody needs us
    with socket.socket(fileno=control_fd) as control, contextlib.suppress(BrokenPipeError):
        control.sendall(READY)
        ForkServer(control).serve()


class ForkServer:
    """Forks supervisors, and kills what a supervisor that was killed itself has left behind."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.supervisors: set[int] = set()

    def serve(self) -> None:
        signal.signal(signal.SIGCHLD, self._on_child)
        while True:
            message, descriptors, _, _ = socket.recv_fds(self.control, 1, 1)
            if not message:
                return self._wait_for_supervisors()
            for descriptor in descriptors:
                self._fork(descriptor)

    def _wait_for_supervisors(self) -> None:
        deadline = time.monotonic() + END_DEADLINE_S
        while self.supervisors and time.monotonic() < deadline:
            time.sleep(0.005)

    def _fork(self, descriptor: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        try:
            pid = os.fork()
            if pid == 0:
                self._become_supervisor(descriptor)
            self.supervisors.add(pid)
        except OSError:
            pass  # out of processes or memory: the engine sees its socket close and reports the attempt as lost
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            os.close(descriptor)

    def _become_supervisor(self, descriptor: int) -> None:
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            self.control.close()
            supervise(socket.socket(fileno=descriptor))
        finally:
            os._exit(1)

    def _on_child(self, *_: object) -> None:
        ended = reap()[1]
        self.supervisors -= set(ended)
        if any(ended.values()):
            self._kill_orphans()

    def _kill_orphans(self) -> None:
        for pid in descendants(recursive=False):
            if pid not in self.supervisors:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
