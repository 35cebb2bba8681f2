"""One attempt: check the inputs, run the executor, turn whatever happens into one outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestration.conf import Conf
from orchestration.domain.secrets import Masker, SecretUnreadable, filled
from orchestration.domain.work import TIMEOUT, Outcome, Work
from orchestration.executors import registry
from orchestration.executors.base import ExecutionContext, Executor
from orchestration.executors.call import run_async
from orchestration.executors.outcomes import failed, outcome_of_exception, outcome_of_result
from orchestration.executors.validation import takes_anything, validate_inputs
from orchestration.services.secrets import opened

if TYPE_CHECKING:
    from orchestration.engine.children import ChildRunner

Report = Callable[[float, str], None]
MANY = 50  # inputs that take too long to check in the loop
LARGE = 32 * 1024  # characters that take too long to look through in the loop


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
        """The outcome of *work*. Raises CancelledError when this attempt was asked to stop, after it has stopped.

        Secrets are opened here, for the executor alone, and hidden in all that it says.
        """
        if not work.sealed:
            return await self._attempt(work, report)
        try:
            values = opened(work.sealed)
        except SecretUnreadable as error:
            return outcome_of_exception(work, error)
        masker = Masker(values.values())
        filled_in = _with_secrets(work, values)
        outcome = await self._attempt(filled_in, lambda fraction, message: report(fraction, masker.text(message)))
        if len(outcome.result or "") + len(outcome.log) + len(outcome.traceback) < LARGE:
            return masker.outcome(outcome)
        return await asyncio.to_thread(masker.outcome, outcome)

    async def _attempt(self, work: Work, report: Report) -> Outcome:
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
            private_network=work.private_network,
            secrets=work.secrets,
            dependencies=work.dependencies,
            report_progress=report,
            write_log=_masked_log(log, work.secrets) if work.secrets else log,
        )
        try:
            value = await run_async(executor, ctx)
        except Exception as error:  # noqa: BLE001  here because only here the log is known
            return outcome_of_exception(work, error, log.text)
        return outcome_of_result(work, value, log.text, max_bytes=self._conf.max_result_bytes)


def _with_secrets(work: Work, values: dict[str, str]) -> Work:
    own = {key: filled(work.inputs[key], values) for key in work.own_inputs}
    params = filled(work.params, values)
    return replace(work, inputs={**work.inputs, **own}, params=params, secrets=frozenset(values.values()))


def _masked_log(log: LogBuffer, secrets: frozenset[str]) -> Callable[[str], None]:
    """Before the log is cut to its length: half a secret would not be recognised afterwards."""
    masker = Masker(secrets)
    return lambda line: log(masker.text(line))


def _check_inputs(executor: Executor, work: Work) -> None:
    """Raises InputError. Results under a dependency's id were put there by us and are nobody's declared input."""
    if takes_anything(executor) and work.input_schema is None:
        return
    by_id = {dependency.id for dependency in work.dependencies}
    inputs = {key: value for key, value in work.inputs.items() if key not in by_id}
    validate_inputs(executor, inputs, work.input_schema)
