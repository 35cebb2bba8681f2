"""Everything that can be refused. A door (page, API, command) turns code, field and text into its own answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class OrchestrationError(Exception):
    """The request cannot be carried out."""

    code = "invalid"
    status = 400  # the HTTP status that doors answer with

    def __init__(self, message: str = "", *, field: str = "", code: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])
        self.field = field
        if code:
            self.code = code

    @property
    def message(self) -> str:
        return str(self)


class IllegalTransition(OrchestrationError):
    """That change of state is not allowed."""

    code = "illegal_transition"
    status = 409


class NotFound(OrchestrationError):
    """There is no such thing, or you may not know of it."""

    code = "not_found"
    status = 404


class Forbidden(OrchestrationError):
    """Your role does not allow this."""

    code = "forbidden"
    status = 403


class Conflict(OrchestrationError):
    """The state of things does not allow this now."""

    code = "conflict"
    status = 409


class AlreadyRunning(Conflict):
    """A run of this tree is active already."""

    code = "already_running"

    def __init__(self, message: str, *, run_id: int) -> None:
        super().__init__(message)
        self.run_id = run_id


class AlreadyFinished(Conflict):
    """This has ended already."""

    code = "already_finished"


class InputError(OrchestrationError):
    """The inputs of a task cannot be made or do not fit its schema."""

    code = "invalid_inputs"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a request: where (path such as `[3].dependencies[0]`), what, and how to mend it."""

    path: str
    message: str
    code: str = "invalid"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class Invalid(OrchestrationError):
    """The data has problems; all of them are listed in `problems`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__("; ".join(str(p) for p in problems[:20]), field=first.path, code=first.code)
        self.problems = list(problems)
