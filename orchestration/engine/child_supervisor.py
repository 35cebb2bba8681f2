"""The supervisor: one process per attempt that starts the worker, passes on what it says, and leaves nothing alive."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections import deque

from orchestration.domain.json_gate import safe_text
from orchestration.engine.child_frames import (
    MARGIN,
    MAX_WORK_BYTES,
    FrameBuffer,
    FrameError,
    FrameKind,
    decode_work,
    frame,
    json_frame,
    receive_frame,
)
from orchestration.engine.child_processes import (
    adopt_orphans,
    descendants,
    die_with_parent,
    kill_descendants,
    reap,
    send,
)
from orchestration.engine.child_worker import Worker, use_output

PROGRESS_EVERY_S = 0.1
CHUNK = 64 * 1024
DRAIN_S = 2.0  # for what is left in the pipes when everything is dead


class LogTail:
    """The newest bytes of a log; the number of those dropped is told at its beginning."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.chunks: deque[bytes] = deque()
        self.size = 0
        self.dropped = 0

    def add(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.size += len(chunk)
        while self.size > self.limit:
            first = self.chunks.popleft()
            excess = self.size - self.limit
            if len(first) > excess:
                self.chunks.appendleft(first[excess:])
            gone = min(len(first), excess)
            self.size -= gone
            self.dropped += gone

    def text(self) -> str:
        kept = safe_text(b"".join(self.chunks).decode("utf-8", "replace"))
        return f"… {self.dropped} bytes before this were dropped\n{kept}" if self.dropped else kept


def supervise(engine: socket.socket) -> None:
    """Run the work that *engine* sends next. Never returns; at the end nothing of the attempt is alive."""
    os.setsid()
    adopt_orphans()
    first = receive_frame(engine, MAX_WORK_BYTES)
    if first is not None and first[0] is FrameKind.WORK:
        try:
            Supervisor(engine, first[1]).run()
        finally:
            kill_descendants()
    os._exit(0)


class Supervisor:
    """Watches one worker: its reports, its output, its end, and the engine's wishes."""

    def __init__(self, engine: socket.socket, payload: bytes) -> None:
        self.engine = engine
        self.work, self.grace_s, self.max_result_bytes, max_log_bytes = decode_work(payload)
        self.log = LogTail(max_log_bytes)
        self.reports = FrameBuffer(self.max_result_bytes + MARGIN)
        self.orders = FrameBuffer(MARGIN)
        self.progress: bytes | None = None
        self.progress_at = 0.0
        self.answer: tuple[FrameKind, bytes] | None = None
        self.kill_at: float | None = None
        self.status = 0
        self.engine_gone = False
        self.worker = self.report = self.output = self.wake = -1

    def run(self) -> None:
        self._start_worker()
        while not self._has_ended():
            self._wait()
        statuses = kill_descendants()
        self.status = statuses.get(self.worker, self.status)
        self._drain()
        if not self.engine_gone:
            self._say_end()

    def _start_worker(self) -> None:
        report_out, report_in = os.pipe()
        output_out, output_in = os.pipe()
        self.wake, wake_in = os.pipe()
        os.set_blocking(wake_in, False)
        os.set_blocking(self.wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        self.worker = os.fork()
        if self.worker == 0:
            self._become_worker(report_in, output_in, (report_out, output_out, self.wake, wake_in))
        os.close(report_in)
        os.close(output_in)
        self.report, self.output = report_out, output_out
        os.set_blocking(self.report, False)
        os.set_blocking(self.output, False)
        self.engine.setblocking(True)

    def _become_worker(self, report: int, output: int, others: tuple[int, ...]) -> None:
        try:
            die_with_parent()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            self.engine.close()
            for descriptor in others:
                os.close(descriptor)
            use_output(output)
            Worker(self.work, report, self.max_result_bytes).run()
        finally:
            os._exit(1)

    def _has_ended(self) -> bool:
        if self.engine_gone or (self.kill_at is not None and time.monotonic() >= self.kill_at):
            return True
        _, ended = reap()
        if self.worker not in ended:
            return False
        self.status = ended[self.worker]
        return True

    def _wait(self) -> None:
        sources = [source for source in (self.engine.fileno(), self.report, self.output, self.wake) if source >= 0]
        for source in select.select(sources, [], [], self._timeout())[0]:
            if source == self.engine.fileno():
                self._hear_engine()
            elif source == self.report:
                self._hear_worker()
            elif source == self.output:
                self._hear_output()
            else:
                os.read(self.wake, 4096)
        self._pass_progress()

    def _timeout(self) -> float | None:
        ends = [] if self.kill_at is None else [self.kill_at]
        if self.progress is not None:
            ends.append(self.progress_at + PROGRESS_EVERY_S)
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _hear_engine(self) -> None:
        chunk = self._receive()
        if not chunk:
            self.engine_gone = True
            return
        for kind, _ in self.orders.feed(chunk):
            if kind is FrameKind.CANCEL and self.kill_at is None:
                self.kill_at = time.monotonic() + self.grace_s
                send(descendants(), signal.SIGTERM)

    def _receive(self) -> bytes:
        try:
            return self.engine.recv(CHUNK)
        except OSError:
            return b""

    def _hear_worker(self) -> bool:
        chunk = _read(self.report)
        if chunk is None:
            return False
        try:
            for kind, payload in self.reports.feed(chunk):
                self._note(kind, payload)
        except FrameError:  # only an executor that writes to strange descriptors gets here
            chunk = b""
        if not chunk:
            os.close(self.report)
            self.report = -1
        return bool(chunk)

    def _note(self, kind: FrameKind, payload: bytes) -> None:
        if kind is FrameKind.PROGRESS:
            self.progress = payload
        elif kind in {FrameKind.RESULT, FrameKind.ERROR} and self.answer is None:
            self.answer = (kind, payload)

    def _hear_output(self) -> bool:
        chunk = _read(self.output)
        if chunk is None:
            return False
        if chunk:
            self.log.add(chunk)
        else:
            os.close(self.output)
            self.output = -1
        return bool(chunk)

    def _pass_progress(self) -> None:
        now = time.monotonic()
        if self.progress is not None and now >= self.progress_at + PROGRESS_EVERY_S:
            self._tell(frame(FrameKind.PROGRESS, self.progress))
            self.progress, self.progress_at = None, now

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_S
        while self.report >= 0 and time.monotonic() < deadline and self._hear_worker():
            continue
        while self.output >= 0 and time.monotonic() < deadline and self._hear_output():
            continue

    def _say_end(self) -> None:
        parts = [] if self.progress is None else [frame(FrameKind.PROGRESS, self.progress)]
        if self.answer is not None:
            parts.append(frame(*self.answer))
        log = self.log.text()
        if log:
            parts.append(frame(FrameKind.LOG, log.encode()))
        parts.append(json_frame(FrameKind.EXIT, [os.waitstatus_to_exitcode(self.status)]))
        self._tell(b"".join(parts))

    def _tell(self, data: bytes) -> None:
        try:
            self.engine.sendall(data)
        except OSError:
            self.engine_gone = True


def _read(descriptor: int) -> bytes | None:
    """What can be read now; b"" at the end, None when there is nothing yet."""
    try:
        return os.read(descriptor, CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""
