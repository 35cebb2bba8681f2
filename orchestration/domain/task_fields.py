"""The rules for each field of a task's definition, whoever writes it: an array, a form or the API.

A check gives the value to store, or adds a Problem to *problems* and gives the default.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.json_gate import check_json, safe_text, size_text, text_problem
from orchestration.domain.secrets import reference_problems
from orchestration.domain.spec import PRIORITY_DEFAULT

MAX_NAME = 255
MAX_TIMEOUT_S = 366 * 24 * 3600
MAX_ATTEMPTS = 100
MAX_BACKOFF_S = 24 * 3600
MAX_LABELS = 20
MAX_LABEL = 50
STRATEGIES = ("fixed", "linear", "exponential")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a JSON field of one task may be."""

    max_bytes: int
    max_depth: int


type Check = Callable[[Any, str, Limits, list[Problem]], Any]


def got(value: Any) -> str:
    """What was given, for a message: `'high'`, `1.5`, `a list`, `nothing`."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, str):
        return f"'{safe_text(value, 40)}'"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**18 else "a very large number"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else f"a {type(value).__name__}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'dependencies'?`, or nothing."""
    close = difflib.get_close_matches(word[:64], known, n=1)
    return f"; did you mean '{safe_text(close[0], 64)}'?" if close else ""


def name_problem(value: str, field: str) -> Problem | None:
    """What is wrong with a text of at most 255 characters on one line, or None."""
    if value.isascii() and value.isprintable() and 0 < len(value) <= MAX_NAME and not value.isspace():
        return None  # nearly all names
    return text_problem(value, max_length=MAX_NAME, field=field)


def check_name(value: Any, path: str, _limits: Limits, problems: list[Problem]) -> str:
    """1 to 255 visible characters on one line."""
    if not isinstance(value, str):
        message = f"expected a text of 1 to {MAX_NAME} characters, got {got(value)}"
        problems.append(Problem(path, message, "invalid_type"))
        return ""
    problem = name_problem(value, "name")
    if problem:
        problems.append(Problem(path, problem.message, problem.code))
    return value


def check_priority(value: Any, path: str, _limits: Limits, problems: list[Problem]) -> int:
    """0 urgent, 1 high, 2 normal, 3 low."""
    if type(value) is int and 0 <= value <= 3:  # not isinstance: true is not a priority
        return value
    expected = "expected a whole number 0 (urgent), 1 (high), 2 (normal) or 3 (low)"
    problems.append(Problem(path, f"{expected}, got {got(value)}", "invalid_choice"))
    return PRIORITY_DEFAULT


def check_object(value: Any, path: str, limits: Limits, problems: list[Problem]) -> dict[str, Any]:
    """A JSON object within *limits*; null is an empty one."""
    if not value and (value is None or isinstance(value, dict)):
        return {}
    if not isinstance(value, dict):
        problems.append(Problem(path, f'expected an object such as {{"key": 1}}, got {got(value)}', "invalid_type"))
        return {}
    try:
        check_json(value, path=path, max_bytes=limits.max_bytes, max_depth=limits.max_depth)
    except Invalid as error:
        problems.extend(Problem(p.path or path, p.message, p.code) for p in error.problems)
        return {}
    return value


def check_values(value: Any, path: str, limits: Limits, problems: list[Problem]) -> dict[str, Any]:
    """As `check_object`; what looks like a reference to a secret is one."""
    found = check_object(value, path, limits, problems)
    wrong = reference_problems(found, path) if found else []
    problems.extend(wrong)
    return {} if wrong else found


def check_schemas(value: Any, path: str, limits: Limits, problems: list[Problem]) -> dict[str, Any]:
    """An object; `method` names an executor, `input_schema` and `output_schema` are JSON Schemas."""
    schemas = check_object(value, path, limits, problems)
    for key in ("input_schema", "output_schema"):
        if schemas.get(key) is not None and not isinstance(schemas[key], dict):
            message = f"expected a JSON Schema (an object), got {got(schemas[key])}"
            problems.append(Problem(f"{path}.{key}", message, "invalid_type"))
    return schemas


def check_timeout(value: Any, path: str, _limits: Limits, problems: list[Problem]) -> float | None:
    """Seconds, more than 0; null for the default."""
    if value is None:
        return None
    return _seconds(value, path, problems, least=0.0, most=MAX_TIMEOUT_S, more_than=True)


def check_max_attempts(value: Any, path: str, _limits: Limits, problems: list[Problem]) -> int:
    """1 (no retry) to 100; null is 1."""
    if value is None:
        return 1
    if type(value) is int and 1 <= value <= MAX_ATTEMPTS:
        return value
    message = f"expected a whole number 1 to {MAX_ATTEMPTS}, got {got(value)}"
    problems.append(Problem(path, message, "out_of_range" if type(value) is int else "invalid_type"))
    return 1


def check_backoff(value: Any, path: str, _limits: Limits, problems: list[Problem]) -> dict[str, Any]:
    """{strategy: fixed | linear | exponential, base_s, cap_s}, each optional."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        example = '{"strategy": "exponential", "base_s": 1, "cap_s": 300}'
        problems.append(Problem(path, f"expected an object such as {example}, got {got(value)}", "invalid_type"))
        return {}
    known = ("strategy", "base_s", "cap_s")
    for key, part in value.items():
        where = f"{path}.{safe_text(str(key), 40)}"
        if key not in known:
            message = f"unknown field{did_you_mean(str(key), known)}; known: {', '.join(known)}"
            problems.append(Problem(where, message, "unknown_field"))
        elif key == "strategy":
            if part not in STRATEGIES:
                message = f"expected {', '.join(STRATEGIES[:-1])} or {STRATEGIES[-1]}, got {got(part)}"
                problems.append(Problem(where, message, "invalid_choice"))
        else:
            _seconds(part, where, problems, least=0.0, most=MAX_BACKOFF_S)
    return value


def _seconds(
    value: Any, path: str, problems: list[Problem], *, least: float, most: float, more_than: bool = False
) -> float | None:
    bound = f"{'more than' if more_than else 'at least'} {least:g} and at most {most:g}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"expected seconds ({bound}), got {got(value)}"
        problems.append(Problem(path, message, "invalid_type"))
        return None
    if not math.isfinite(value) or value > most or value < least or (more_than and value == least):
        problems.append(Problem(path, f"expected seconds, {bound}, got {got(value)}", "out_of_range"))
        return None
    return float(value)


def check_together(inputs: Any, params: Any, path: str, limits: Limits, problems: list[Problem]) -> None:
    """inputs and params, each checked already, share one limit."""
    if not inputs or not params:
        return
    size = sum(
        len(check_json(value, max_bytes=limits.max_bytes, max_depth=limits.max_depth).encode())
        for value in (inputs, params)
    )
    if size > limits.max_bytes:
        message = f"inputs and params together are larger than {size_text(limits.max_bytes)}: pass a reference instead"
        problems.append(Problem(path, message, "too_large"))


def check_labels(value: Any, path: str, problems: list[Problem]) -> list[str]:
    """At most 20 texts of at most 50 characters, each once; null is none."""
    if value is None:
        return []
    if not isinstance(value, list):
        problems.append(Problem(path, f"expected a list of texts, got {got(value)}", "invalid_type"))
        return []
    if len(value) > MAX_LABELS:
        problems.append(Problem(path, f"{len(value)} labels, but {MAX_LABELS} are allowed", "too_many"))
        return []
    for index, label in enumerate(value):
        problem = text_problem(label, max_length=MAX_LABEL, field="label")
        if problem:
            problems.append(Problem(f"{path}[{index}]", problem.message, problem.code))
    return list(dict.fromkeys(label for label in value if isinstance(label, str)))


def check_map(value: Any, path: str, problems: list[Problem]) -> dict[str, str] | None:
    """Of a dependency: {"input field": "path.in.result"}, or null."""
    if value is None:
        return None
    if not isinstance(value, dict) or not value:
        message = f'expected an object such as {{"field": "path.in.result"}}, got {got(value)}'
        problems.append(Problem(path, message, "invalid_type"))
        return None
    for key, target in value.items():
        where = f"{path}.{safe_text(str(key), 64)}"
        for text in (key, target):
            if not isinstance(text, str):
                problems.append(Problem(where, f"expected a path in the result, got {got(text)}", "invalid_type"))
            elif problem := name_problem(text, "map"):
                problems.append(Problem(where, problem.message, problem.code))
    return value


def check_as(value: Any, path: str, problems: list[Problem]) -> str | None:
    """Of a dependency: the input that takes the whole result, or null."""
    if value is None:
        return None
    if not isinstance(value, str):
        problems.append(Problem(path, f"expected a key, got {got(value)}", "invalid_type"))
        return None
    if problem := name_problem(value, "as"):
        problems.append(Problem(path, problem.message, problem.code))
    return value


CHECKS: dict[str, Check] = {
    "name": check_name,
    "priority": check_priority,
    "inputs": check_values,
    "params": check_values,
    "schemas": check_schemas,
    "timeout_s": check_timeout,
    "max_attempts": check_max_attempts,
    "backoff": check_backoff,
}
"""Field -> its check. `executor`, parent and dependencies need more than the value alone: see builders.array."""
