"""What an executor is, and what it is given to work with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from orchestration.domain.work import DependencyResult

JsonSchema = dict[str, Any]


class ExecutorError(Exception):
    """Raise this to fail a task with a clear message and code, without a traceback in the operator's face."""

    def __init__(self, message: str, *, code: str = "executor_error", retryable: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable


def _ignore(*_args: object) -> None:
    return None


def _never() -> bool:
    return False


@dataclass(slots=True)
class ExecutionContext:
    """Everything an executor may know of the attempt it works for."""

    inputs: dict[str, Any]  # resolved: declared, mapped and merged
    params: dict[str, Any]
    task_name: str = ""
    attempt: int = 1  # try number within the run, 1-based
    idempotency_key: str = ""  # stable over all attempts of this task in this run
    private_network: bool = False  # the owner may reach private places that the settings allow
    secrets: frozenset[str] = field(default=frozenset(), repr=False)  # values in inputs and params that are secrets
    dependencies: Sequence[DependencyResult] = ()
    report_progress: Callable[[float, str], None] = field(default=_ignore, repr=False)
    write_log: Callable[[str], None] = field(default=_ignore, repr=False)
    is_cancelled: Callable[[], bool] = field(default=_never, repr=False)

    def progress(self, fraction: float, message: str = "") -> None:
        """Show *fraction* (0.0..1.0, clipped) and *message* on the task; stored at most 10 times a second."""
        self.report_progress(min(1.0, max(0.0, float(fraction))), str(message))

    def log(self, text: str) -> None:
        """Add a line to the attempt's log (the newest 256 KiB are kept)."""
        self.write_log(str(text))

    @property
    def cancelled(self) -> bool:
        """True as soon as somebody asked this task to stop; return or raise soon, before the grace period ends."""
        return self.is_cancelled()


class Executor(ABC):
    """The code that tasks run. One instance serves all attempts: keep no state on it."""

    id: ClassVar[str]
    name: ClassVar[str]
    description: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    input_schema: ClassVar[JsonSchema] = {"type": "object"}
    output_schema: ClassVar[JsonSchema] = {}
    params_schema: ClassVar[JsonSchema] = {"type": "object"}
    cancelable: ClassVar[bool] = True
    merges_results: ClassVar[bool] = False  # results of dependencies flow into inputs by themselves
    isolated: ClassVar[bool] = (
        True  # runs in a child process that can be killed; False: async code in the engine's loop
    )

    permission: ClassVar[str] = ""  # right that the tree's owner needs beside running trees: see domain/rights.py

    def disabled(self) -> str:
        """Why the settings keep this executor off, with the remedy; "" when they do not."""
        return ""

    @abstractmethod
    def run(self, ctx: ExecutionContext) -> Any | Awaitable[Any]:
        """Do the work and return a JSON value. Raise to fail; raise ExecutorError to fail with a code."""
