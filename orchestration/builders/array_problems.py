"""All problems of one array, at once but never more than a person can read."""

from __future__ import annotations

from typing import NoReturn

from orchestration.domain.errors import Invalid, Problem

MOST = 100


class Problems(list[Problem]):
    """A list of problems that keeps the first hundred and counts the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.left_out = 0

    def append(self, problem: Problem) -> None:
        if len(self) < MOST:
            super().append(problem)
        else:
            self.left_out += 1

    def add(self, path: str, message: str, code: str = "invalid") -> None:
        """Keep one more."""
        self.append(Problem(path, message, code))

    def fail(self) -> NoReturn:
        """Raises Invalid with all of them."""
        more = [Problem("", f"and {self.left_out} more problems", "too_many")] if self.left_out else []
        raise Invalid([*self, *more])

    def check(self) -> None:
        """Raises Invalid if there are any."""
        if self:
            self.fail()


def refuse(path: str, message: str, code: str = "invalid") -> NoReturn:
    """Raises Invalid for one problem that makes it useless to look further."""
    raise Invalid([Problem(path, message, code)])
