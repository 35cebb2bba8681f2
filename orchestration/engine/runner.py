"""One attempt: check the inputs, run the executor, turn whatever happens into one outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestration.conf import Conf
from orchestration.domain.work import TIMEOUT, Outcome, Work
from orchestration.executors import registry
from orchestration.executors.base import ExecutionContext, Executor
from orchestration.executors.call import run_async
from orchestration.executors.outcomes import failed, outcome_of_exception, outcome_of_result
from orchestration.executors.validation import validate_inputs

if TYPE_CHECKING:
    from orchestration.engine.children import ChildRunner

Report = Callable[[float, str], None]
MANY = 50  # inputs that take too long to check in the loop


class LogBuffer:
    """The newest lines of an in-loop attempt's log, bounded."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._text = ""

    def __call__(self, line: str) -> None:
        self._text = (self._text + line.rstrip("\n") + "\n")[-self._max :]

    @property
    def text(self) -> str:
        return self._text


class Runner:
    """Runs attempts; one instance serves the engine. Never raises for anything that an executor does."""

    def __init__(self, conf: Conf, children: ChildRunner) -> None:
        self._conf = conf
        self._children = children

    async def run(self, work: Work, report: Report) -> Outcome:
        """The outcome of *work*. Raises CancelledError when this attempt was asked to stop, after it has stopped."""
        executor = registry.find(work.executor)
        if executor is None:
            message = f"no executor '{work.executor}' is registered here any more"
            return failed(work, message, "unknown_executor", retryable=False)
        try:
            if work.timeout_s is None:
                return await self._run(executor, work, report)
            return await self._run_until(executor, work, report, work.timeout_s)
        except Exception as error:  # noqa: BLE001  the one place that turns any failure into an outcome
            return outcome_of_exception(work, error)

    async def _run_until(self, executor: Executor, work: Work, report: Report, timeout_s: float) -> Outcome:
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                return await self._run(executor, work, report)
        except TimeoutError:
            if deadline.expired():
                return failed(work, f"timed out after {timeout_s:g} s", TIMEOUT, retryable=True)
            raise

    async def _run(self, executor: Executor, work: Work, report: Report) -> Outcome:
        if work.input_schema is None and len(work.inputs) < MANY:
            _check_inputs(executor, work)
        else:
            await asyncio.to_thread(_check_inputs, executor, work)
        if executor.isolated:
            await self._children.start()
            return await self._children.run(work, report)
        log = LogBuffer(self._conf.max_log_bytes)
        ctx = ExecutionContext(
            inputs=work.inputs,
            params=work.params,
            task_name=work.name,
            attempt=work.try_number,
            idempotency_key=work.idempotency_key,
            dependencies=work.dependencies,
            report_progress=report,
            write_log=log,
        )
        try:
            value = await run_async(executor, ctx)
        except Exception as error:  # noqa: BLE001  here because only here the log is known
            return outcome_of_exception(work, error, log.text)
        return outcome_of_result(work, value, log.text, max_bytes=self._conf.max_result_bytes)


def _check_inputs(executor: Executor, work: Work) -> None:
    """Raises InputError. Results under a dependency's id were put there by us and are nobody's declared input."""
    by_id = {dependency.id for dependency in work.dependencies}
    inputs = {key: value for key, value in work.inputs.items() if key not in by_id}
    validate_inputs(executor, inputs, work.input_schema)
