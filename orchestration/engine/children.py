"""Runs an attempt in a child process that can always be killed, with everything that it has started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from django.conf import settings

from orchestration.domain.json_gate import safe_text
from orchestration.domain.work import Ending, Outcome, Work, log_ids
from orchestration.engine.child_frames import (
    HEADER,
    MARGIN,
    FrameError,
    FrameKind,
    encode_work,
    frame,
    parse_header,
)
from orchestration.executors.outcomes import failed

logger = logging.getLogger("apflow.engine")

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
KILL_MARGIN_S = 15.0  # beyond the grace period; after that the socket is closed, which kills as well
ProgressCallback = Callable[[float, str], None]


class Server(Protocol):
    """What is asked of the process of a fork server."""

    @property
    def pid(self) -> int: ...
    def wait(self, timeout: float | None = None) -> Any: ...
    def kill(self) -> None: ...


class ChildRunner:
    """Starts attempts in child processes. One per engine; to be used in one event loop."""

    def __init__(
        self, *, grace_s: float, max_result_bytes: int, max_log_bytes: int, preload: Sequence[str] = ()
    ) -> None:
        self.grace_s = grace_s
        self.max_result_bytes = max_result_bytes
        self.max_log_bytes = max_log_bytes
        self.preload = tuple(preload)
        self._server: Server | None = None
        self._control: socket.socket | None = None
        self._starting = asyncio.Lock()
        self._attempts: set[_Attempt] = set()

    async def start(self) -> ChildRunner:
        """Start the fork server and wait until it has imported everything. Raises RuntimeError when it cannot."""
        async with self._starting:
            if self._control is None:
                await self._start_server()
        return self

    async def stop(self) -> None:
        """Kill what still runs and end the fork server; nothing is left when this returns."""
        for attempt in list(self._attempts):
            attempt.close()
        self._close_control()
        if self._server is not None:
            server, self._server = self._server, None
            await asyncio.to_thread(_wait_or_kill, server)

    async def run(self, work: Work, on_progress: ProgressCallback) -> Outcome:
        """The outcome of one attempt. On cancellation its processes are stopped, killed after the grace period, and
        gone when CancelledError is raised. Never raises for anything that the executor does."""
        try:
            connection = await self._connect()
        except (OSError, RuntimeError) as error:
            return _lost(work, f"no executor process could be started: {error}")
        attempt = _Attempt(self, work, on_progress, connection)
        self._attempts.add(attempt)
        try:
            return await attempt.run()
        finally:
            self._attempts.discard(attempt)

    async def _connect(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            for _ in range(2):  # a fork server that died is replaced once
                await self.start()
                if await self._hand_over(theirs):
                    return ours
            raise RuntimeError("the fork server ends at once")
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()

    async def _hand_over(self, theirs: socket.socket) -> bool:
        control = self._control
        while control is not None and control is self._control:
            try:
                socket.send_fds(control, [b"F"], [theirs.fileno()])
                return True
            except BlockingIOError:
                await asyncio.sleep(0.01)
            except OSError:
                logger.warning("the fork server has died; starting another one")
                self._close_control()
        return False

    async def _start_server(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                self._server = await asyncio.to_thread(spawn, theirs.fileno(), self.preload)
            async with asyncio.timeout(START_TIMEOUT_S):
                greeting = await asyncio.get_running_loop().sock_recv(ours, 1)
        except (TimeoutError, OSError):
            greeting = b""
        except BaseException:
            ours.close()
            raise
        if not greeting:
            ours.close()
            raise RuntimeError("the fork server did not start; its error output says why")
        self._control = ours

    def _close_control(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None


# the settings module of this process is the child's too, but for one that only tests have
_BOOT = (
    "import json, os, sys; boot = json.loads(sys.argv[1]); sys.path[:] = boot['path']; "
    "os.environ.setdefault('DJANGO_SETTINGS_MODULE', boot['settings']); "
    "from orchestration.engine.child_main import main; main(boot['control'], boot['preload'])"
)


def _start_program(control: int, preload: Sequence[str]) -> subprocess.Popen[bytes]:
    module = settings.SETTINGS_MODULE if settings.configured else ""
    boot = {"path": sys.path, "settings": module, "control": control, "preload": preload}
    command = [sys.executable, "-c", _BOOT, json.dumps(boot)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(control,), start_new_session=True)


# how a fork server is started that serves the descriptor; soak.fork_servers has a quicker way
spawn: Callable[[int, Sequence[str]], Server] = _start_program


def _wait_or_kill(server: Server) -> None:
    try:
        server.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


class _Attempt:
    """The engine's side of one attempt."""

    def __init__(
        self, runner: ChildRunner, work: Work, on_progress: ProgressCallback, connection: socket.socket
    ) -> None:
        self.runner = runner
        self.work = work
        self.on_progress = on_progress
        self.connection = connection
        self.writer: asyncio.StreamWriter | None = None
        self.unwanted = False  # cancelled or closed before the work was sent
        self.answer: Outcome | None = None
        self.log = ""
        self.exit_code: int | None = None

    async def run(self) -> Outcome:
        collecting = asyncio.ensure_future(self._collect())
        try:
            return await asyncio.shield(collecting)
        except asyncio.CancelledError:
            self._order_cancel()
            await self._wait_for_end(collecting)
            raise

    def close(self) -> None:
        """Hang up: the supervisor then kills everything at once."""
        self.unwanted = True
        if self.writer is not None:
            self.writer.transport.abort()

    def _order_cancel(self) -> None:
        self.unwanted = True
        if self.writer is not None and not self.writer.is_closing():
            self.writer.write(frame(FrameKind.CANCEL))

    async def _wait_for_end(self, collecting: asyncio.Future[Outcome]) -> None:
        """Wait although this task is cancelled, and whatever cancels it again: no process may be left behind."""
        loop = asyncio.get_running_loop()
        hang_up_at = loop.time() + self.runner.grace_s + KILL_MARGIN_S
        while not collecting.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({collecting}, timeout=max(0.0, hang_up_at - loop.time()))
            if loop.time() >= hang_up_at:
                logger.error("the supervisor of an attempt does not answer", extra=log_ids(self.work))
                self.close()
                return

    async def _collect(self) -> Outcome:
        limit = max(self.runner.max_result_bytes, 4 * self.runner.max_log_bytes) + MARGIN
        reader, self.writer = await asyncio.open_connection(sock=self.connection)
        try:
            if self.unwanted:
                return self._outcome()  # nothing was started: the supervisor ends as the socket closes
            self.writer.write(frame(FrameKind.WORK, self._payload()))
            while self.exit_code is None:
                size, kind = parse_header(await reader.readexactly(HEADER.size), limit)
                self._note(kind, await reader.readexactly(size))
        except (asyncio.IncompleteReadError, OSError):
            pass  # the supervisor has been killed: `_outcome` says so
        except (FrameError, ValueError) as error:
            logger.error("what the process of an attempt says makes no sense: %s", error, extra=log_ids(self.work))
        finally:
            self.writer.transport.abort()
        return self._outcome()

    def _payload(self) -> bytes:
        runner = self.runner
        return encode_work(
            self.work,
            grace_s=runner.grace_s,
            max_result_bytes=runner.max_result_bytes,
            max_log_bytes=runner.max_log_bytes,
        )

    def _note(self, kind: FrameKind, payload: bytes) -> None:
        if kind is FrameKind.PROGRESS:
            fraction, message = json.loads(payload)
            self._pass_progress(min(1.0, max(0.0, float(fraction))), safe_text(str(message), 1000))
        elif kind is FrameKind.RESULT:
            work = self.work
            self.answer = Outcome(work.run_id, work.task_id, work.attempt, Ending.COMPLETED, result=payload.decode())
        elif kind is FrameKind.ERROR:
            message, code, traceback, retryable = json.loads(payload)
            self.answer = failed(self.work, message, code, retryable=retryable)
            self.answer.traceback = traceback
        elif kind is FrameKind.LOG:
            self.log = payload.decode()
        elif kind is FrameKind.EXIT:
            self.exit_code = int(json.loads(payload)[0])

    def _pass_progress(self, fraction: float, message: str) -> None:
        try:
            self.on_progress(fraction, message)
        except Exception:
            logger.exception("the progress of an attempt cannot be passed on", extra=log_ids(self.work))

    def _outcome(self) -> Outcome:
        outcome = self.answer or _lost(self.work, f"executor process ended without a result ({self._how_it_ended()})")
        outcome.log = self.log
        return outcome

    def _how_it_ended(self) -> str:
        if self.exit_code is None:
            return "its supervisor was killed"
        if self.exit_code >= 0:
            return f"exit code {self.exit_code}"
        try:
            return f"signal {signal.Signals(-self.exit_code).name}"
        except ValueError:
            return f"signal {-self.exit_code}"


def _lost(work: Work, message: str) -> Outcome:
    return failed(work, message, "worker_lost", retryable=True)
