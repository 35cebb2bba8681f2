"""JSON or YAML text to data that is nothing but JSON, within bounds of size and depth."""

from __future__ import annotations

from typing import Any

import yaml
from django.conf import settings

from orchestration.builders.array_problems import refuse
from orchestration.conf import conf
from orchestration.domain.json_gate import parse_json, safe_text, size_text

WRAPPED = 3  # levels around inputs: the document, its list of tasks, the task
JSON_TYPES = (str, int, float, bool, type(None))


class _Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """Safe, and keys are unique."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value.__class__ is str:
                if key.value in seen:
                    _refuse_at(key.start_mark, f"key '{safe_text(key.value, 60)}' appears twice", "duplicate_key")
                seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def load_text(raw: bytes | str, format: str = "auto") -> Any:
    """The value of *raw*. Raises Invalid: too large, too deep, not that format, or something that JSON cannot say."""
    if format not in ("auto", "json", "yaml"):
        refuse("format", f"expected auto, json or yaml, got '{safe_text(str(format), 40)}'", "invalid_choice")
    if format == "json" or (format == "auto" and _looks_like_json(raw)):
        return parse_json(raw, max_bytes=settings.MAX_BODY_BYTES, max_depth=conf().max_depth + WRAPPED)
    return _load_yaml(raw, max_bytes=settings.MAX_BODY_BYTES, max_depth=conf().max_depth + WRAPPED)


def _looks_like_json(raw: bytes | str) -> bool:
    start = raw[:200].lstrip()
    return not start or start[:1] in (("[", "{", "\ufeff") if isinstance(start, str) else (b"[", b"{", b"\xef"))


def _load_yaml(raw: bytes | str, *, max_bytes: int, max_depth: int) -> Any:
    size = len(raw) if isinstance(raw, bytes) else len(raw.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        refuse("", f"request larger than {size_text(max_bytes)}", "body_too_large")
    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        _check_events(text, max_depth)
        value = yaml.load(text, Loader=_Loader)  # derives from a safe loader  # nosec B506
    except UnicodeError:
        refuse("", "body is not UTF-8", "invalid_yaml")
    except yaml.MarkedYAMLError as error:
        _refuse_at(error.problem_mark, f"not YAML: {error.problem or error.context}", "invalid_yaml")
    except (yaml.YAMLError, ValueError) as error:
        refuse("", f"not YAML: {safe_text(str(error).splitlines()[0], 200)}", "invalid_yaml")
    _check_types(value)
    return value


def _check_events(text: str, max_depth: int) -> None:
    """Refuse what could blow up while it is built: anchors and aliases, and great depth."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            message = "anchors (&name) and aliases (*name) are not allowed: write the value out"
            _refuse_at(event.start_mark, message, "yaml_alias")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > max_depth:
                refuse("", f"YAML nested deeper than {max_depth} levels", "too_deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_types(value: Any) -> None:
    todo = [(value, "")]
    while todo:
        item, path = todo.pop()
        if isinstance(item, dict):
            for key, child in item.items():
                if not isinstance(key, str):
                    refuse(path, f"keys must be text, got {safe_text(str(key), 40)}: put it in quotes", "invalid_type")
                todo.append((child, f"{path}.{key}".lstrip(".")))
        elif isinstance(item, list):
            todo.extend((child, f"{path}[{index}]") for index, child in enumerate(item))
        elif not isinstance(item, JSON_TYPES):
            message = f"got a {type(item).__name__} ({safe_text(str(item), 40)}), which JSON has no word for"
            refuse(path, f"{message}: put it in quotes", "invalid_type")


def _refuse_at(mark: Any, message: str, code: str) -> None:
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    refuse("", f"{message}{where}", code)
