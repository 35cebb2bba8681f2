"""Why a command ends without success, and what a script sees of it."""

from __future__ import annotations

from typing import Any

DONE, RUN_FAILED, USAGE, REFUSED, CONNECTION = 0, 1, 2, 3, 4
REFUSING = (401, 403, 404)


class Failure(Exception):
    """Ends the command with *exit_code*. *details*: the error as the server gave it."""

    def __init__(self, exit_code: int, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.exit_code, self.message, self.details = exit_code, message, details or {}


def exit_code_of(status: int) -> int:
    """The exit code for an HTTP status: 3 not found or forbidden, 4 the server's trouble, else 2."""
    if status in REFUSING:
        return REFUSED
    return CONNECTION if status == 429 or status >= 500 else USAGE
