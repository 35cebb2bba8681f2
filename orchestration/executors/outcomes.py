"""What came out of an attempt, as an Outcome whose every text can be stored; in the loop and in child processes."""

from __future__ import annotations

import traceback
from typing import Any

from orchestration.conf import conf
from orchestration.domain.errors import Invalid, OrchestrationError
from orchestration.domain.json_gate import check_json, safe_text, size_text
from orchestration.domain.work import Ending, Outcome, Work
from orchestration.executors.base import ExecutorError

MAX_ERROR = 8 * 1024  # characters of an error message
MAX_TRACEBACK = 32 * 1024  # characters; the end is kept, where the cause is


class Crash(Exception):
    """Stands for an exception that must not be raised in an event loop, such as SystemExit; see `__cause__`."""


def outcome_of_result(work: Work, value: Any, log: str = "", *, max_bytes: int | None = None) -> Outcome:
    """COMPLETED with the JSON text of *value*, or FAILED when it is no storable JSON or an object with an error."""
    limit = conf().max_result_bytes if max_bytes is None else max_bytes
    try:
        text = check_json(value, max_bytes=limit)
    except Invalid as refused:
        problem = refused.problems[0]
        if problem.code == "too_large":
            message = f"result larger than {size_text(limit)}: store it elsewhere and return where it is"
            return failed(work, message, "result_too_large", log, retryable=False)
        return failed(work, f"result is not JSON: {problem}", "result_not_json", log, retryable=False)
    except Exception as error:  # noqa: BLE001  a value of the user's own class may do anything
        return failed(work, f"result is not JSON: {describe(error)}", "result_not_json", log, retryable=False)
    if isinstance(value, dict) and value.get("error"):
        error_text = value["error"] if isinstance(value["error"], str) else check_json(value["error"], max_bytes=limit)
        return failed(work, error_text, "executor_error", log, retryable=True)
    return Outcome(work.run_id, work.task_id, work.attempt, Ending.COMPLETED, result=text, log=log)


def outcome_of_exception(work: Work, error: BaseException, log: str = "") -> Outcome:
    """FAILED with the message and code of *error*, and a traceback unless the executor chose message and code."""
    if isinstance(error, Crash) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, ExecutorError):
        return failed(work, plain_message(error), str(error.code), log, retryable=bool(error.retryable))
    if isinstance(error, OrchestrationError):
        return failed(work, plain_message(error), error.code, log, retryable=False)
    outcome = failed(work, describe(error), "executor_error", log, retryable=True)
    outcome.traceback = format_traceback(error)
    return outcome


def failed(work: Work, message: str, code: str, log: str = "", *, retryable: bool) -> Outcome:
    """A FAILED outcome with a bounded, storable message."""
    return Outcome(
        work.run_id,
        work.task_id,
        work.attempt,
        Ending.FAILED,
        error=safe_text(message, MAX_ERROR),
        error_code=safe_text(code, 64),
        log=log,
        retryable=retryable,
    )


def plain_message(error: BaseException) -> str:
    """The text of *error*, or its type when it has none or cannot say it."""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001  __str__ of a user's class may do anything
        return f"{type(error).__name__} (its text cannot be read)"
    return text if text.strip() else type(error).__name__


def describe(error: BaseException) -> str:
    """`ValueError: bad amount`, `SystemExit: 3`, `MemoryError`."""
    text, name = plain_message(error), type(error).__name__
    return text if text.startswith(name) else f"{name}: {text}"


def format_traceback(error: BaseException) -> str:
    """The traceback of *error*, its end if it is long."""
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001  a broken __str__ or __repr__ of a user's class
        text = "".join(traceback.format_tb(error.__traceback__)) + describe(error)
    return safe_text(text if len(text) <= MAX_TRACEBACK else "…" + text[-MAX_TRACEBACK + 1 :])
