"""Inputs against schemas (draft 2020-12 and draft-07): bounded in time, without any access to the network."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

import jsonschema.exceptions
import referencing
from jsonschema import Draft7Validator, Draft202012Validator, ValidationError, validators
from referencing.exceptions import Unresolvable

from orchestration.domain.errors import InputError, Invalid, Problem
from orchestration.domain.json_gate import KIB, check_json, safe_text
from orchestration.executors.base import Executor, JsonSchema
from orchestration.executors.patterns import PatternError, check_pattern, search
from orchestration.executors.wording import human_message

MAX_SCHEMA_BYTES = 64 * KIB
MAX_REFERENCES = 10_000  # followed in one validation; a schema that refers to itself twice doubles at every level
MAX_SHOWN = 5  # problems in one message
_ANY_OBJECT: JsonSchema = {"type": "object"}
_followed = threading.local()


class _Validator(Protocol):
    def iter_errors(self, instance: Any) -> Iterable[ValidationError]: ...


def takes_anything(executor: Executor) -> bool:
    """Whether every object is fit as its inputs."""
    return not executor.input_schema or executor.input_schema == _ANY_OBJECT


def validate_inputs(executor: Executor, inputs: Any, task_schema: JsonSchema | None = None) -> None:
    """Raises InputError unless *inputs* fit the executor's schema and the task's own."""
    if not takes_anything(executor):
        _validate(_executor_validator(executor), inputs)
    elif not isinstance(inputs, dict):
        raise InputError("inputs must be an object", field="inputs")
    if task_schema and task_schema != _ANY_OBJECT:
        _validate(compiled(json.dumps(task_schema)), inputs)


def check_schema_document(schema: Any, *, path: str = "input_schema") -> None:
    """Raises Invalid unless *schema* is a usable schema: known draft, no remote reference, no unusable pattern."""
    if not isinstance(schema, dict):
        raise Invalid([Problem(path, "a schema must be an object", "invalid_schema")])
    text = check_json(schema, path=path, max_bytes=MAX_SCHEMA_BYTES)
    try:
        _draft(schema).check_schema(schema)  # type: ignore[attr-defined]
    except jsonschema.exceptions.SchemaError as error:
        raise _invalid(_place(path, error.absolute_path), safe_text(error.message, 300)) from None
    for where, part in _parts(schema, path):
        _check_part(where, part)
    compiled(text)


def _check_part(where: str, part: dict[str, Any]) -> None:
    for key in ("$ref", "$dynamicRef"):
        if isinstance(part.get(key), str) and not part[key].startswith("#"):
            raise _invalid(f"{where}.{key}", "references to other documents are never fetched: use '#/$defs/…'")
    patterns = part.get("patternProperties")
    found = list(patterns) if isinstance(patterns, dict) else []
    if found and "unevaluatedProperties" in part:
        raise _invalid(where, "patternProperties and unevaluatedProperties cannot be used together")
    if isinstance(part.get("pattern"), str):
        found.append(part["pattern"])
    for pattern in found:
        try:
            check_pattern(pattern)
        except PatternError as error:
            raise _invalid(f"{where}.pattern", str(error)) from None


def _invalid(path: str, message: str) -> Invalid:
    return Invalid([Problem(path, message, "invalid_schema")])


def _parts(schema: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    stack = [(path, schema)]
    while stack:
        where, part = stack.pop()
        if isinstance(part, dict):
            yield where, part
            stack += [(f"{where}.{safe_text(key, 60)}", inner) for key, inner in part.items()]
        elif isinstance(part, list):
            stack += [(f"{where}[{index}]", inner) for index, inner in enumerate(part)]


# --- validation ----------------------------------------------------------------------------------------------------


def _validate(validator: _Validator, inputs: Any) -> None:
    _followed.count = 0
    try:
        errors = list(islice(validator.iter_errors(inputs), MAX_SHOWN))
    except PatternError as error:
        raise InputError(f"inputs: {error}", field="inputs") from None
    except Unresolvable as error:
        raise InputError(f"inputs: the schema refers to what is not there: {error}", field="inputs") from None
    except RecursionError:
        raise InputError("inputs: the schema refers to itself without end", field="inputs") from None
    if errors:
        places = [_place("inputs", error.absolute_path) for error in errors]
        texts = [f"{place}: {human_message(error)}" for place, error in zip(places, errors, strict=True)]
        raise InputError(safe_text("; ".join(texts), 4000), field=places[0])


def _place(root: str, path: Iterable[str | int]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{safe_text(part, 60)}" for part in path]
    return root + "".join(parts)


_by_executor: dict[str, tuple[JsonSchema, _Validator]] = {}


def _executor_validator(executor: Executor) -> _Validator:
    cached = _by_executor.get(executor.id)
    if cached is None or cached[0] is not executor.input_schema:
        cached = (executor.input_schema, compiled(json.dumps(executor.input_schema)))
        _by_executor[executor.id] = cached
    return cached[1]


@functools.lru_cache(maxsize=1024)
def compiled(schema_text: str) -> _Validator:
    """The validator of a schema, from its JSON text."""
    schema = json.loads(schema_text)
    found: _Validator = _draft(schema)(schema, registry=referencing.Registry())
    return found


def _draft(schema: JsonSchema) -> Callable[..., _Validator]:
    named = schema.get("$schema", "https://json-schema.org/draft/2020-12/schema")
    for key, draft in _DRAFTS.items():
        if isinstance(named, str) and key in named:
            return draft
    raise Invalid([Problem("$schema", "write a schema of draft 2020-12 or draft-07", "invalid_schema")])


# --- keywords whose stock form can be made to run for ever ----------------------------------------------------------


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not search(pattern, instance):
        yield ValidationError("does not match the pattern")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for pattern, schema in patterns.items():
            for key, value in instance.items():
                if search(pattern, key):
                    yield from validator.descend(value, schema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extra = [key for key in instance if key not in known and not any(search(p, key) for p in patterns)]
    if isinstance(allowed, dict):
        for key in extra:
            yield from validator.descend(instance[key], allowed, path=key)
    elif not allowed and extra:
        yield ValidationError("unknown: " + ", ".join(f"'{safe_text(key, 60)}'" for key in extra[:5]))


def _unique_items(_validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if not wanted or not isinstance(instance, list):
        return
    if len({json.dumps(item, sort_keys=True) for item in instance}) != len(instance):
        yield ValidationError("holds the same item twice")


def _counted(stock: Callable[..., Iterator[ValidationError]]) -> Callable[..., Iterator[ValidationError]]:
    def follow(validator: Any, reference: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        _followed.count = getattr(_followed, "count", 0) + 1
        if _followed.count > MAX_REFERENCES:
            raise RecursionError
        yield from stock(validator, reference, instance, schema) or ()

    return follow


def _guarded(draft: Any) -> Callable[..., _Validator]:
    changed: dict[str, Any] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    for keyword in ("$ref", "$dynamicRef"):
        if keyword in draft.VALIDATORS:
            changed[keyword] = _counted(draft.VALIDATORS[keyword])
    made: Callable[..., _Validator] = validators.extend(draft, changed)  # type: ignore[no-untyped-call]
    return made


_DRAFTS: dict[str, Callable[..., _Validator]] = {
    "draft/2020-12": _guarded(Draft202012Validator),
    "draft-07": _guarded(Draft7Validator),
}


def schema_problems(schemas: dict[str, Any], path: str) -> list[Problem]:
    """What is wrong with the JSON Schemas in a task's `schemas`; nothing when there are none."""
    problems: list[Problem] = []
    for key in ("input_schema", "output_schema"):
        if isinstance(schemas.get(key), dict):
            try:
                check_schema_document(schemas[key], path=f"{path}.{key}")
            except Invalid as refused:
                problems += refused.problems
    return problems
