"""The inputs of an attempt: declared ones, this run's overrides, and what the dependencies' results add."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from orchestration.domain.errors import InputError
from orchestration.domain.states import Status
from orchestration.domain.work import DependencyResult

DECLARED = "declared"
OVERRIDE = "override"
DEPENDENCY = "dependency"

Provenance = dict[str, dict[str, Any]]


class Source(NamedTuple):
    """One dependency with what its edge asks for."""

    result: DependencyResult
    map: dict[str, str] | None = None  # input field -> path in the result
    as_key: str | None = None
    has_result: bool = True  # False for groups, which do no work


def resolve(
    declared: dict[str, Any], overrides: dict[str, Any], sources: Iterable[Source], *, merges: bool
) -> tuple[dict[str, Any], Provenance]:
    """(inputs, where each key came from). *declared* stays as it is.

    *merges*: keys of a result that is an object flow in where nothing stands yet; without it, and for any other result,
    the whole result goes under the dependency's id. Raises InputError when a mapped path is missing in a required
    dependency. Source: the semantics of inputs, rules 1 to 4, in the listed order of the dependencies.
    """
    inputs = {**declared, **overrides}
    origin: Provenance = {key: {"source": OVERRIDE if key in overrides else DECLARED} for key in inputs}
    for source in sources:
        if source.result.status != Status.COMPLETED:
            continue
        if source.map is not None:
            _apply_map(inputs, origin, source)
        elif not source.has_result:
            continue
        elif source.as_key is not None:
            _put(inputs, origin, source.as_key, source.result.result, source.result.id, "")
        elif merges and isinstance(source.result.result, dict):
            _merge_object(inputs, origin, source)
        else:
            _put(inputs, origin, source.result.id, source.result.result, source.result.id, "")
    return inputs, origin


def _put(inputs: dict[str, Any], origin: Provenance, key: str, value: Any, task_id: str, path: str) -> None:
    """Explicit wish of an edge: wins over what stood there, but for an override of this run, and says so."""
    entry: dict[str, Any] = {"source": DEPENDENCY, "task": task_id, "path": path}
    before = origin.get(key)
    if before is not None and before["source"] == OVERRIDE:
        before.setdefault("shadows", []).append(entry)
        return
    if before is not None:
        entry["shadows"] = [*before.pop("shadows", []), before]
    inputs[key] = value
    origin[key] = entry


def _merge_object(inputs: dict[str, Any], origin: Provenance, source: Source) -> None:
    for key, value in source.result.result.items():
        entry = {"source": DEPENDENCY, "task": source.result.id, "path": key}
        if key in inputs:
            origin[key].setdefault("shadows", []).append(entry)
        else:
            inputs[key] = value
            origin[key] = entry


def _apply_map(inputs: dict[str, Any], origin: Provenance, source: Source) -> None:
    for key, path in (source.map or {}).items():
        try:
            value = _lookup(source.result.result, path)
        except KeyError as missing:
            if source.result.required:
                raise InputError(
                    f"inputs.{key}: the result of '{source.result.name}' has no '{path}' ({missing.args[0]})", field=key
                ) from None
            continue
        _put(inputs, origin, key, value, source.result.id, path)


def _lookup(value: Any, path: str) -> Any:
    """The value at dotted *path* ('' = everything; list places are numbers). Raises KeyError with what is missing."""
    for part in path.split(".") if path else ():
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise KeyError(f"nothing at '{part}'")
    return value
