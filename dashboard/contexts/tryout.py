"""A form for the inputs of an executor, from its schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.domain.errors import Problem
from orchestration.executors.base import Executor

NUMBERS = {"integer": int, "number": float}
MAX_NUMBER = 40  # characters


@dataclass(frozen=True, slots=True)
class Field:
    """An input of the form."""

    name: str  # "inputs.url" or "params.method"
    label: str
    kind: str  # text, number, check, choice, json
    value: str
    help: str
    required: bool
    choices: tuple[str, ...] = ()
    step: str = "any"


def fields_for(executor: Executor, posted: Mapping[str, str] | None = None) -> tuple[Field, ...]:
    """The fields of *executor*: its inputs, then its parameters, those that must be given first."""
    parts = (("inputs", executor.input_schema), ("params", executor.params_schema))
    fields = [field for part, schema in parts for field in _fields(part, schema, posted)]
    return tuple(sorted(fields, key=lambda field: not field.required))


def read_fields(executor: Executor, posted: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any], list[Problem]]:
    """Inputs and parameters that were filled in, and what is wrong with them. Empty optional fields are left out."""
    given: dict[str, dict[str, Any]] = {"inputs": {}, "params": {}}
    problems: list[Problem] = []
    for field in fields_for(executor):
        text = posted.get(field.name, "")
        if field.kind != "check" and not text.strip():
            if field.required:
                problems.append(Problem(field.name, "is required", "required"))
            continue
        try:
            value = _value(field, text)
        except ValueError as error:
            problems.append(Problem(field.name, str(error), "invalid_type"))
            continue
        part, _, name = field.name.partition(".")
        given[part][name] = value
    for part in given:
        given[part].update(_extra(posted.get(f"{part}_json", ""), part, problems))
    return given["inputs"], given["params"], problems


def _fields(part: str, schema: Mapping[str, Any], posted: Mapping[str, str] | None) -> list[Field]:
    required = set(schema.get("required", ()))
    properties = schema.get("properties", {})
    return [
        _field(f"{part}.{name}", name, shape if isinstance(shape, dict) else {}, name in required, posted)
        for name, shape in properties.items()
    ]


def _field(key: str, name: str, shape: Mapping[str, Any], required: bool, posted: Mapping[str, str] | None) -> Field:
    kind, choices = _kind(shape)
    default = shape.get("default", next(iter(shape.get("examples", ())), None) if required else None)
    text = "" if default is None else default if isinstance(default, str) else json.dumps(default)
    if kind == "check":
        text = "1" if default else ""
    return Field(
        name=key,
        label=str(shape.get("title", name)),
        kind=kind,
        value=text if posted is None else posted.get(key, ""),
        help=str(shape.get("description", "")),
        required=required,
        choices=choices,
        step="1" if shape.get("type") == "integer" else "any",
    )


def _kind(shape: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    options = shape.get("enum")
    if isinstance(options, (list, tuple)) and options and all(isinstance(o, str) for o in options):
        return "choice", tuple(options)
    kinds = {"string": "text", "integer": "number", "number": "number", "boolean": "check"}
    return kinds.get(str(shape.get("type", "")), "json"), ()


def _value(field: Field, text: str) -> Any:
    if field.kind == "check":
        return bool(text)
    if field.kind == "number":
        if len(text) > MAX_NUMBER:
            raise ValueError("is too long for a number")
        try:
            return int(text) if field.step == "1" else float(text)
        except ValueError:
            raise ValueError("must be a number") from None
    if field.kind == "json":
        return _json(text)
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("must be JSON: texts stand in double quotes") from None


def _extra(text: str, part: str, problems: list[Problem]) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        value = _json(text)
    except ValueError as error:
        problems.append(Problem(part, str(error), "invalid_json"))
        return {}
    if not isinstance(value, dict):
        problems.append(Problem(part, 'must be an object such as {"key": "value"}', "invalid_type"))
        return {}
    return value
