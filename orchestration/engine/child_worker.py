"""The worker: the process that runs one executor once, and then ends."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
from typing import Any

from django.db import connections

from orchestration.domain.json_gate import safe_text
from orchestration.domain.work import Outcome, Work
from orchestration.engine.child_frames import FrameKind, json_frame, outcome_frame, write_all
from orchestration.executors import registry
from orchestration.executors.base import ExecutionContext, Executor
from orchestration.executors.outcomes import failed, outcome_of_exception, outcome_of_result

MAX_MESSAGE = 1000  # characters


class Worker:
    """One attempt: gives the executor its context and writes what comes out to *report*."""

    def __init__(self, work: Work, report: int, max_result_bytes: int) -> None:
        self.work = work
        self.report = report
        self.max_result_bytes = max_result_bytes
        self.cancelled = False
        self.task: asyncio.Task[Any] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def run(self) -> None:
        """Run the executor and report its outcome. Never returns."""
        try:
            signal.signal(signal.SIGTERM, self._on_cancel)
            os.environ["APFLOW_IDEMPOTENCY_KEY"] = self.work.idempotency_key  # noqa: TID251  written for programs
            connections.close_all()
            outcome = self._outcome()
            _flush()
            write_all(self.report, outcome_frame(outcome))
            connections.close_all()
        finally:
            os._exit(0)  # no exit handlers, no waiting for threads: they belong to the process this one was forked from

    def _outcome(self) -> Outcome:
        try:
            executor = registry.get(self.work.executor)
            value = self._call(executor)
            return outcome_of_result(self.work, value, max_bytes=self.max_result_bytes)
        except BaseException as error:  # noqa: BLE001  SystemExit and its kin fail this task and nothing else
            return self._outcome_of(error)

    def _outcome_of(self, error: BaseException) -> Outcome:
        try:
            return outcome_of_exception(self.work, error)
        except BaseException:  # noqa: BLE001  an exception that cannot even be described
            return failed(self.work, type(error).__name__[:200], "executor_error", retryable=True)

    def _call(self, executor: Executor) -> Any:
        value = executor.run(self._context())
        return asyncio.run(self._await(value)) if inspect.isawaitable(value) else value

    async def _await(self, awaitable: Any) -> Any:
        self.loop = asyncio.get_running_loop()
        self.task = asyncio.current_task()
        self.loop.add_signal_handler(signal.SIGTERM, self._on_cancel)
        if self.cancelled:
            self._on_cancel()
        return await awaitable

    def _on_cancel(self, *_: object) -> None:
        self.cancelled = True
        if self.task is not None:
            self.task.cancel()

    def _context(self) -> ExecutionContext:
        work = self.work
        return ExecutionContext(
            inputs=work.inputs,
            params=work.params,
            task_name=work.name,
            attempt=work.try_number,
            idempotency_key=work.idempotency_key,
            dependencies=work.dependencies,
            report_progress=self._report_progress,
            write_log=_write_log,
            is_cancelled=lambda: self.cancelled,
        )

    def _report_progress(self, fraction: float, message: str) -> None:
        if fraction == fraction:  # not NaN
            write_all(self.report, json_frame(FrameKind.PROGRESS, [fraction, safe_text(message, MAX_MESSAGE)]))


def _write_log(text: str) -> None:
    _flush()
    write_all(1, (safe_text(text) + "\n").encode())


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # closed or replaced by the executor


def use_output(output: int) -> None:
    """Make *output* the standard output and error of this process, and nothing its standard input."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)
    sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115  lives as long as the process
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc]
