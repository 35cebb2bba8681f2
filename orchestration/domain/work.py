"""What passes between the engine's parts: work handed out, outcomes handed back."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Ending(StrEnum):
    """How an attempt ended, or what it reports while it runs."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"  # its engine died or its lease ran out: taken over, does not count against max_attempts
    RELEASED = "released"  # given back by a graceful stop: does not count either
    PROGRESS = "progress"


ENGINE_LOST = "engine_lost"  # the attempt's engine died
RELEASED = "released"  # given back by a graceful stop
WORKER_LOST = "worker_lost"  # the executor's own process died, or its engine died too often
INVALID_INPUTS = "invalid_inputs"
TIMEOUT = "timeout"
UNSTORABLE = "unstorable_report"  # what the attempt reported could not be stored
UNCOUNTED = (ENGINE_LOST, RELEASED)  # error codes of attempts that do not count against max_attempts


class DependencyResult(NamedTuple):
    """One dependency as an executor sees it. `result` is shared with other attempts: read it, do not change it."""

    id: str  # uuid with dashes
    name: str
    required: bool
    status: str  # completed, failed, cancelled or blocked
    result: Any = None
    error: str | None = None


@dataclass(slots=True)
class Work:
    """One attempt, claimed and durable, to be run now."""

    run_id: int
    task_id: str  # uuid as 32 hex digits
    attempt: int  # the fencing token: unique and rising per task over all runs
    try_number: int  # 1, 2, ... within this run; at most max_attempts
    name: str
    executor: str
    inputs: dict[str, Any]  # resolved
    params: dict[str, Any]
    input_schema: dict[str, Any] | None = None  # the task's own, beside the executor's
    dependencies: list[DependencyResult] = field(default_factory=list)
    timeout_s: float | None = None
    max_attempts: int = 1
    owner_id: int | None = None
    isolated: bool = False  # takes a process slot
    priority: int = 2
    private_network: bool = False  # its owner may reach private places
    sealed: dict[str, str] = field(default_factory=dict, repr=False)  # secret -> sealed value, of all it refers to
    own_inputs: tuple[str, ...] = ()  # keys of inputs in which references count; only with `sealed`
    secrets: frozenset[str] = field(default=frozenset(), repr=False)  # plain values, only where the executor is called

    @property
    def key(self) -> tuple[str, int]:
        return (self.task_id, self.attempt)

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this task in this run: lets a receiver drop repeats."""
        return f"{self.run_id}:{self.task_id}"


@dataclass(slots=True)
class Outcome:
    """What one attempt reports. Everything in it is checked text or JSON: safe to store as it is."""

    run_id: int
    task_id: str
    attempt: int
    ending: Ending
    result: str | None = None  # JSON text, only with COMPLETED
    error: str | None = None  # only with FAILED, CANCELLED, LOST
    error_code: str = ""  # executor_error, invalid_inputs, timeout, worker_lost, result_not_json, ...
    traceback: str = ""
    log: str = ""
    retryable: bool = True  # False for validation errors: another attempt cannot help
    progress: float = 0.0  # 0.0..1.0, only with PROGRESS
    message: str = ""

    @property
    def ends(self) -> bool:
        """Whether the attempt is over with this."""
        return self.ending != Ending.PROGRESS


def log_ids(about: Work | Outcome) -> dict[str, object]:
    """What a log line about an attempt carries, as `extra`."""
    return {"run": about.run_id, "task": about.task_id, "attempt": about.attempt}
