"""What is refused, as JSON-RPC errors: the standard's codes, and the protocol's own."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from orchestration.api.authentication import TokenScope
from orchestration.away import advice, is_away
from orchestration.domain.errors import (
    AlreadyFinished,
    AlreadyRunning,
    Conflict,
    Forbidden,
    IllegalTransition,
    Invalid,
    NotFound,
    OrchestrationError,
    Problem,
)
from orchestration.services.throttle import TooMany
from orchestration.services.tokens import InvalidToken

logger = logging.getLogger("apflow.rpc")

PARSE, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
BUSY = -32000  # of the server's own range: too many requests, or the database is busy
NOT_FOUND, CYCLE, UNKNOWN_EXECUTOR, UNAUTHORIZED = -32001, -32002, -32003, -32004
INVALID_SCHEMA, TRANSITION = -32005, -32006
ALREADY_RUNNING, CANNOT_DELETE, BAD_PARENT, BAD_DEPENDENCY, BAD_TREE = -32008, -32009, -32010, -32011, -32012
MAX_PROBLEMS = 100
BY_CODE = {
    "cycle": CYCLE,
    "unknown_executor": UNKNOWN_EXECUTOR,
    "invalid_schema": INVALID_SCHEMA,
    "no_root": BAD_TREE,
    "many_roots": BAD_TREE,
    "empty": BAD_TREE,
    "parent_cycle": BAD_PARENT,
    "too_deep": BAD_PARENT,
    "cannot_delete": CANNOT_DELETE,
    "linked": CANNOT_DELETE,
    "draft_tasks": UNKNOWN_EXECUTOR,
    "illegal_transition": TRANSITION,
}
BY_KIND: dict[type[Exception], int] = {
    NotFound: NOT_FOUND,
    AlreadyRunning: ALREADY_RUNNING,
    AlreadyFinished: TRANSITION,
    IllegalTransition: TRANSITION,
    Conflict: TRANSITION,
    TokenScope: UNAUTHORIZED,
    Forbidden: UNAUTHORIZED,
    InvalidToken: UNAUTHORIZED,
    TooMany: BUSY,
}


class Refused(Exception):
    """A JSON-RPC error as it is."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


def error_of(exception: Exception) -> dict[str, Any]:
    """The `error` member for *exception*. An accident tells nobody outside more than a number to ask about."""
    if isinstance(exception, Refused):
        return _error(exception.code, exception.message, exception.data)
    if isinstance(exception, OrchestrationError):
        data: dict[str, Any] = {"reason": exception.message, "code": exception.code}
        if exception.field:
            data["field"] = exception.field
        if isinstance(exception, Invalid):
            data["problems"] = [_problem(p) for p in exception.problems[:MAX_PROBLEMS]]
        return _error(_code(exception), exception.message, data)
    if is_away(exception):
        logger.warning("database busy or away: %s", type(exception).__name__)
        return _error(BUSY, advice(exception), {"reason": "unavailable"})
    number = uuid.uuid4().hex[:12]
    logger.error("error %s", number, exc_info=exception)
    return _error(INTERNAL, "Internal error", {"reason": f"something broke; the server's log has it under {number}"})


def _error(code: int, message: str, data: Any) -> dict[str, Any]:
    return {"code": code, "message": message} | ({} if data is None else {"data": data})


def _problem(problem: Problem) -> dict[str, str]:
    return {"field": problem.path, "reason": problem.message, "code": problem.code}


def _code(error: OrchestrationError) -> int:
    if error.code in BY_CODE:
        return BY_CODE[error.code]
    if error.code in ("unknown_reference", "ambiguous_name"):
        return BAD_PARENT if error.field.endswith("parent_id") else BAD_DEPENDENCY
    return next((code for kind, code in BY_KIND.items() if isinstance(error, kind)), INVALID_PARAMS)
