"""Parameters of a call: explicit nulls count as absent, unknown ones are let pass, wrong types are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.json_gate import safe_text
from orchestration.domain.task_fields import got

MAX_IDS = 500
MAX_LIST = 1000


def invalid(field: str, message: str, code: str = "invalid_type") -> Invalid:
    """The refusal of one parameter."""
    return Invalid([Problem(field, message, code)])


class Params:
    """The parameters of one call."""

    def __init__(self, given: Any) -> None:
        """Raises Invalid when they are not named."""
        if not isinstance(given, dict):
            raise invalid("params", f"expected an object with named parameters, got {got(given)}")
        self.given: dict[str, Any] = {key: value for key, value in given.items() if value is not None}

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def any(self, *names: str) -> Any:
        """The first of *names* that is given, else None."""
        return next((self.given[name] for name in names if name in self.given), None)

    def text(self, *names: str) -> str | None:
        """A text; a number is taken as one. Raises Invalid."""
        value = self.any(*names)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise invalid(names[0], f"expected a text, got {got(value)}")

    def task_id(self, *names: str) -> str:
        """The id of a task, which must be given. Raises Invalid."""
        value = self.text(*(names or ("task_id", "id")))
        if not value:
            raise invalid((names or ("task_id",))[0], "is required: the id of a task", "required")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """true or false. Raises Invalid."""
        value = self.given.get(name, default)
        if not isinstance(value, bool):
            raise invalid(name, f"expected true or false, got {got(value)}")
        return value

    def whole(self, name: str, default: int, *, at_most: int | None = None) -> int:
        """A whole number from 0; more than *at_most* counts as that. Raises Invalid."""
        value = self.given.get(name, default)
        if type(value) is not int or value < 0:
            raise invalid(name, f"expected a whole number from 0, got {got(value)}", "out_of_range")
        return min(value, 2**31 if at_most is None else at_most)

    def object(self, name: str) -> dict[str, Any]:
        """An object, {} when absent. Raises Invalid."""
        value = self.given.get(name, {})
        if not isinstance(value, dict):
            raise invalid(name, f"expected an object, got {got(value)}")
        return value

    def ids(self, *names: str) -> list[str]:
        """Ids from a list or a text with commas, each once; [] when absent. Raises Invalid."""
        value = self.any(*names)
        items: Sequence[Any] = value.split(",") if isinstance(value, str) else [] if value is None else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise invalid(names[0], f"expected a list of ids, got {got(value)}")
        if len(items) > MAX_IDS:
            raise invalid(names[0], f"{len(items)} ids, but {MAX_IDS} are allowed in one call", "too_many")
        return list(dict.fromkeys(safe_text(item.strip(), 64) for item in items if item.strip()))
