"""The decorator `@executor`: registers a function or a class as an executor that runs in a child process."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, overload

from orchestration.executors.base import ExecutionContext, Executor, JsonSchema
from orchestration.executors.registry import register
from orchestration.executors.signature import Signature, title_of


class _Decorator(Protocol):
    def __call__[F: Callable[..., Any]](self, target: F) -> F: ...


_ATTRIBUTES = (
    "id",
    "name",
    "description",
    "aliases",
    "input_schema",
    "output_schema",
    "params_schema",
    "cancelable",
    "merges_results",
)


class FunctionExecutor(Executor):
    """An executor made of a function."""

    function: ClassVar[Callable[..., Any]]
    signature: ClassVar[Signature]
    merges_results: ClassVar[bool] = True

    def run(self, ctx: ExecutionContext) -> Any:
        return type(self).function(**self.signature.arguments(ctx))


class ClassExecutor(Executor):
    """An executor made of a class with a `run` or `execute` method; every attempt gets its own instance."""

    target: ClassVar[Callable[[], Any]]
    method: ClassVar[str]
    signature: ClassVar[Signature]
    merges_results: ClassVar[bool] = True

    def run(self, ctx: ExecutionContext) -> Any:
        return getattr(type(self).target(), self.method)(**self.signature.arguments(ctx))


@overload
def executor[F: Callable[..., Any]](target: F) -> F: ...
@overload
def executor(
    *,
    id: str = ...,
    name: str = ...,
    description: str = ...,
    aliases: tuple[str, ...] = ...,
    input_schema: JsonSchema = ...,
    output_schema: JsonSchema = ...,
    params_schema: JsonSchema = ...,
    cancelable: bool = ...,
    merges_results: bool = ...,
) -> _Decorator: ...
def executor(target: Any = None, **options: Any) -> Any:
    """Register a function or class as an executor and return it unchanged.

    Raises TypeError for an unknown option and ValueError for an id that is taken. Effects: one registry entry.
    """
    unknown = set(options) - set(_ATTRIBUTES)
    if unknown:
        raise TypeError(f"@executor has no option {sorted(unknown)}: use {', '.join(_ATTRIBUTES)}")
    if target is None:
        return lambda found: executor_of(found, options)
    return executor_of(target, options)


def executor_of[F: Callable[..., Any]](target: F, options: dict[str, Any]) -> F:
    """Register *target* with *options* and return it."""
    if not callable(target):
        raise TypeError(f"@executor is for functions and classes, not {type(target).__name__}")
    register(_from_class(target, options) if isinstance(target, type) else _from_function(target, options))
    return target


def _from_function(function: Callable[..., Any], options: dict[str, Any]) -> Executor:
    signature = Signature(function)
    return _build(FunctionExecutor, function, signature, options, function=staticmethod(function))


def _from_class(target: type[Any], options: dict[str, Any]) -> Executor:
    own = {name: getattr(target, name) for name in _ATTRIBUTES if hasattr(target, name)} | options
    if issubclass(target, Executor):
        attributes = {"__module__": target.__module__} | options | _identity(target, own)
        return _instance(target.__name__, target, attributes)
    method = next((name for name in ("run", "execute") if callable(getattr(target, name, None))), None)
    if method is None:
        raise TypeError(f"{target.__name__}: an executor class needs a method run(self, ctx) or execute(self, inputs)")
    static = isinstance(inspect.getattr_static(target, method), staticmethod | classmethod)
    signature = Signature(getattr(target, method), skip_self=not static)
    return _build(ClassExecutor, target, signature, own, target=target, method=method)


def _build(base: type[Executor], origin: Any, signature: Signature, options: dict[str, Any], **more: Any) -> Executor:
    derived = {"input_schema": signature.input_schema(), "output_schema": signature.output_schema()}
    given = {key: value for key, value in options.items() if value is not None}
    attributes = derived | given | _identity(origin, options) | more
    attributes |= {"signature": signature, "__module__": origin.__module__, "__doc__": origin.__doc__}
    return _instance(origin.__name__, base, attributes)


def _instance(name: str, base: type[Executor], attributes: dict[str, Any]) -> Executor:
    made: Executor = type(name, (base,), attributes)()
    return made


def _identity(target: Any, options: dict[str, Any]) -> dict[str, Any]:
    doc = (inspect.cleandoc(target.__doc__) if target.__doc__ else "").split("\n\n")[0].replace("\n", " ")
    executor_id = options.get("id") or target.__name__
    return {
        "id": executor_id,
        "name": options.get("name") or title_of(executor_id),
        "description": options.get("description") or doc,
    }
