"""Request bodies: JSON through the one strict gate, and objects with known fields only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any
from uuid import UUID

from django.conf import settings
from rest_framework import serializers
from rest_framework.parsers import BaseParser

from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.json_gate import parse_json, safe_text
from orchestration.domain.task_fields import did_you_mean, got

CODES = {"invalid": "invalid_type", "null": "invalid_type", "not_a_list": "invalid_type", "not_a_dict": "invalid_type",
         "max_length": "too_long", "min_length": "blank", "min_value": "out_of_range", "max_value": "out_of_range",
         "max_string_length": "out_of_range", "overflow": "out_of_range"}  # fmt: skip


class StrictJSONParser(BaseParser):
    """application/json without duplicate keys, NaN, surrogates, NUL, byte order marks or great depth."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return parse_json(stream.read(settings.MAX_BODY_BYTES + 1), max_bytes=settings.MAX_BODY_BYTES)


class Text(serializers.CharField):
    """A string; numbers are none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, "allow_blank": True, **options})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError(f"expected a text, got {got(data)}", code="invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """An integer; "1", 1.0 and true are none."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            raise serializers.ValidationError(f"expected a whole number, got {got(data)}", code="invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """true or false; "yes" and 1 are none."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError(f"expected true or false, got {got(data)}", code="invalid")
        return data


class Id(serializers.UUIDField):
    """A UUID written as text."""

    def to_internal_value(self, data: Any) -> UUID:
        try:
            return UUID(data)
        except (TypeError, ValueError, AttributeError):
            raise serializers.ValidationError(f"expected a UUID, got {got(data)}", code="invalid") from None


class Object(serializers.DictField):
    """A JSON object with anything in it; whoever uses it checks it."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise serializers.ValidationError(f"expected an object, got {got(data)}", code="invalid")
        return data


class Choice(serializers.ChoiceField):
    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            known = ", ".join(str(choice) for choice in self.choices)
            raise serializers.ValidationError(f"use one of {known}; got {got(data)}", code="invalid_choice")
        return data


class Body(serializers.Serializer[Any]):
    """The base of what a request may hold. Unknown fields are refused by `read`, not dropped."""


def read(body: type[Body], data: Any) -> dict[str, Any]:
    """The checked fields of *data*. Raises Invalid with all problems."""
    if not isinstance(data, dict):
        raise Invalid([Problem("", f"expected an object, got {got(data)}", "invalid_type")])
    form = body(data=data)
    problems = [_unknown(name, list(form.fields)) for name in data if name not in form.fields]
    if not form.is_valid():
        problems += _problems(form.errors, "")
    if problems:
        raise Invalid(problems)
    return dict(form.validated_data)


def _unknown(name: str, known: list[str]) -> Problem:
    remedy = did_you_mean(name, known) or f"; known: {', '.join(known)}" if known else "; this takes no fields"
    return Problem(safe_text(name, 64), f"unknown field '{safe_text(name, 64)}'{remedy}", "unknown_field")


def _problems(errors: Any, path: str) -> list[Problem]:
    if isinstance(errors, Mapping):
        return [p for key, value in errors.items() for p in _problems(value, _joined(path, key))]
    found = []
    for error in errors:
        if isinstance(error, Mapping | list):
            found += _problems(error, path)
        else:
            found.append(Problem(path, str(error), CODES.get(error.code, error.code)))
    return found


def _joined(path: str, key: Any) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    name = safe_text(str(key), 64)
    return f"{path}.{name}" if path else name
