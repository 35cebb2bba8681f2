"""What a schema violation means to a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jsonschema import ValidationError

from orchestration.domain.json_gate import safe_text

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def human_message(error: ValidationError) -> str:
    """One sentence about *error*, bounded and without the schema's jargon."""
    word = _WORDS.get(str(error.validator))
    text = word(error) if word else str(error.message)
    return safe_text(text, 300)


def _required(error: ValidationError) -> str:
    names: Any = error.validator_value
    for key in names:
        if error.message.startswith(repr(key)):
            return f"'{key}' is missing"
    return error.message


def _type(error: ValidationError) -> str:
    wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
    return f"must be {' or '.join(_TYPES.get(str(name), str(name)) for name in wanted)}, not {_kind(error.instance)}"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    for kind, name in ((bool, "true or false"), (str, "text"), (int | float, "a number"), (list, "a list")):
        if isinstance(value, kind):
            return name
    return "an object"


def _enum(error: ValidationError) -> str:
    values: Any = error.validator_value
    return "must be one of " + ", ".join(str(value) for value in values[:20])


def _count(unit: str, limit: str) -> Callable[[ValidationError], str]:
    return lambda error: f"must have {limit} {error.validator_value} {unit}"


_WORDS: dict[str, Callable[[ValidationError], str]] = {
    "required": _required,
    "type": _type,
    "enum": _enum,
    "const": lambda error: f"must be {error.validator_value!r}",
    "minimum": lambda error: f"must be at least {error.validator_value}",
    "maximum": lambda error: f"must be at most {error.validator_value}",
    "exclusiveMinimum": lambda error: f"must be more than {error.validator_value}",
    "exclusiveMaximum": lambda error: f"must be less than {error.validator_value}",
    "multipleOf": lambda error: f"must be a multiple of {error.validator_value}",
    "minLength": _count("characters", "at least"),
    "maxLength": _count("characters", "at most"),
    "minItems": _count("items", "at least"),
    "maxItems": _count("items", "at most"),
    "minProperties": _count("keys", "at least"),
    "maxProperties": _count("keys", "at most"),
    "pattern": lambda error: f"does not match the pattern {error.validator_value}",
    "anyOf": lambda _: "fits none of the allowed forms",
    "oneOf": lambda _: "must fit exactly one of the allowed forms",
    "not": lambda _: "has a form that is not allowed",
}
