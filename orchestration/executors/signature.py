"""How a plain function gets its arguments, and the schemas that follow from its type hints."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from orchestration.executors.base import ExecutionContext, ExecutorError, JsonSchema

_SIMPLE: dict[Any, JsonSchema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    dict: {"type": "object"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    type(None): {"type": "null"},
}


class Signature:
    """The parameters of one executor function: `inputs`, `ctx`, or values taken from the inputs by name."""

    def __init__(self, function: Callable[..., Any], *, skip_self: bool = False) -> None:
        self.name = getattr(function, "__qualname__", repr(function))
        parameters = list(inspect.signature(function).parameters.values())[1 if skip_self else 0 :]
        self.hints = _hints(function)
        self.takes_rest = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self.parameters = [p for p in parameters if p.kind not in {p.VAR_KEYWORD, p.VAR_POSITIONAL}]
        for parameter in self.parameters:
            if parameter.kind is parameter.POSITIONAL_ONLY:
                raise ValueError(f"{self.name}: parameter '{parameter.name}' must not be positional-only")
        self.named = [p for p in self.parameters if not self._is_ctx(p)]
        self.takes_whole = [p.name for p in self.named] == ["inputs"] and not self.takes_rest

    def _is_ctx(self, parameter: inspect.Parameter) -> bool:
        return parameter.name == "ctx" or self.hints.get(parameter.name) is ExecutionContext

    def arguments(self, ctx: ExecutionContext) -> dict[str, Any]:
        """The keyword arguments for one call. Raises ExecutorError when an input without default is missing."""
        found: dict[str, Any] = {p.name: ctx for p in self.parameters if self._is_ctx(p)}
        if self.takes_whole:
            return found | {"inputs": ctx.inputs}
        for parameter in self.named:
            if parameter.name in ctx.inputs:
                found[parameter.name] = ctx.inputs[parameter.name]
            elif parameter.default is parameter.empty:
                raise ExecutorError(
                    f"input '{parameter.name}' is missing: give it in the task's inputs or by a dependency",
                    code="invalid_inputs",
                    retryable=False,
                )
        if self.takes_rest:
            found |= {key: value for key, value in ctx.inputs.items() if key not in found}
        return found

    def input_schema(self) -> JsonSchema:
        """The schema of the inputs that the function takes."""
        if self.takes_whole or not self.named:
            return {"type": "object"}
        properties = {p.name: self._property(p) for p in self.named}
        required = [p.name for p in self.named if p.default is p.empty]
        return {"type": "object", "properties": properties} | ({"required": required} if required else {})

    def output_schema(self) -> JsonSchema:
        """The schema of the result, `{}` when the function has no return hint."""
        return schema_of(self.hints["return"]) if "return" in self.hints else {}

    def _property(self, parameter: inspect.Parameter) -> JsonSchema:
        found: JsonSchema = {"title": title_of(parameter.name)} | schema_of(self.hints.get(parameter.name, Any))
        default = parameter.default
        if default is not parameter.empty and isinstance(default, str | int | float | bool | list | dict):
            found["default"] = default
        return found


def schema_of(hint: Any) -> JsonSchema:
    """The JSON schema of a type hint; `{}` (anything) for hints that have none."""
    if hint in _SIMPLE:
        return dict(_SIMPLE[hint])
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in {Union, types.UnionType}:
        return _union(arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        values = schema_of(arguments[1]) if len(arguments) == 2 else {}
        return {"type": "object"} | ({"additionalProperties": values} if values else {})
    if isinstance(origin, type) and issubclass(origin, list | tuple):
        items = schema_of(arguments[0]) if arguments else {}
        return {"type": "array"} | ({"items": items} if items and _is_uniform(origin, arguments) else {})
    return {}


def _is_uniform(origin: type, arguments: tuple[Any, ...]) -> bool:
    return issubclass(origin, list) or arguments[1:] == (Ellipsis,)


def _union(arguments: tuple[Any, ...]) -> JsonSchema:
    parts = [schema_of(argument) for argument in arguments]
    if not all(parts):
        return {}
    if all(set(part) == {"type"} for part in parts):
        return {"type": [part["type"] for part in parts]}
    return {"anyOf": parts}


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except (NameError, TypeError, AttributeError):  # a hint that exists for type checkers only
        return {}


def title_of(name: str) -> str:
    """`order_id` -> `Order id`."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
