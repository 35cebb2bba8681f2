"""Forms from JSON Schemas: one field per property, nested objects as groups, what has no widget as JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext
from jsonschema import ValidationError as SchemaViolation

from dashboard.schema_fields import ABSENT, Value, field_for
from orchestration.executors.signature import title_of
from orchestration.executors.validation import compiled
from orchestration.executors.wording import human_message

MAX_DEPTH = 2  # of nested objects; deeper ones are JSON text
MAX_ERRORS = 50

type Path = tuple[str, ...]
type Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """Fields of one object; the outermost has no title."""

    title: str
    help: str
    fields: tuple[BoundField, ...]


class SchemaForm(forms.Form):
    """The form of a schema. After `is_valid`, `value` is what was filled in.

    An empty field is left out of the value. What *old* has beside the properties of the schema is kept.
    """

    def __init__(self, schema: Schema, old: Mapping[str, Any], *, enforce: bool, **options: Any) -> None:
        super().__init__(**options)
        self.schema, self.old, self.enforce = schema, old, enforce
        self.paths: dict[str, Path] = {}
        self.value: dict[str, Any] = dict(old)
        self._groups: list[tuple[str, str, list[str]]] = []
        self._add_object(schema, old, (), "", "")

    def _add_object(self, schema: Schema, old: Mapping[str, Any], path: Path, title: str, help_text: str) -> None:
        names: list[str] = []
        self._groups.append((title, help_text, names))
        required = schema.get("required") if isinstance(schema.get("required"), list) else []
        for key, part in _properties(schema):
            value, label = old.get(key, ABSENT), str(part.get("title") or title_of(key))
            if _is_group(part, value, len(path)):
                inner = value if isinstance(value, Mapping) else {}
                self._add_object(part, inner, (*path, key), label, str(part.get("description") or ""))
                continue
            name = ".".join(quote(one, safe="") for one in (*path, key))
            field = field_for(part, value)
            field.label, field.help_text = label, str(part.get("description") or "")
            field.needed = key in (required or ())
            self.fields[name] = field
            self.initial[name] = value
            self.paths[name] = (*path, key)
            names.append(name)

    def groups(self) -> list[Group]:
        """The fields in the order of the schema, those of nested objects after those of the outer one."""
        return [Group(title, text, tuple(self[name] for name in names)) for title, text, names in self._groups if names]

    def clean(self) -> dict[str, Any]:
        """Puts the value together and tells what does not fit the schema at the field concerned."""
        for name, path in self.paths.items():
            if name in self.cleaned_data:
                self.value = _with(self.value, path, self.cleaned_data[name])
        if not self.errors:
            for violation in self._violations():
                self._tell(violation)
        return self.cleaned_data

    def _violations(self) -> Iterator[SchemaViolation]:
        found = compiled(json.dumps(self.schema)).iter_errors(self.value)
        for _, violation in zip(range(MAX_ERRORS), found, strict=False):
            if self.enforce or violation.validator != "required":
                yield violation

    def _tell(self, violation: SchemaViolation) -> None:
        path = tuple(str(part) for part in violation.absolute_path)
        if violation.validator == "required":
            self._tell_missing(violation, path)
            return
        places = {known: name for name, known in self.paths.items()}
        name = next((places[path[:length]] for length in range(len(path), 0, -1) if path[:length] in places), None)
        self.add_error(name, human_message(violation))

    def _tell_missing(self, violation: SchemaViolation, path: Path) -> None:
        """jsonschema tells of each missing key by itself, but only in words."""
        keys: Iterable[Any] = violation.validator_value if isinstance(violation.validator_value, list) else ()
        places = {known: name for name, known in self.paths.items()}
        for key in keys:
            name = places.get((*path, str(key)))
            if violation.message.startswith(repr(key)) and name is not None:
                self.add_error(name, gettext("is required"))
                return
        self.add_error(None, human_message(violation))


def schema_form(
    schema: Schema, *, old: Mapping[str, Any] | None = None, data: Mapping[str, Any] | None = None, enforce: bool = True
) -> SchemaForm:
    """The form of *schema*, showing *old* or what was posted. *enforce*: missing required values are errors."""
    return SchemaForm(schema, old or {}, enforce=enforce, data=data, prefix="in", auto_id="id_%s")


def _properties(schema: Schema) -> list[tuple[str, Schema]]:
    found = schema.get("properties")
    if not isinstance(found, Mapping):
        return []
    return [(str(key), part if isinstance(part, Mapping) else {}) for key, part in found.items()]


def _is_group(part: Schema, value: Value, depth: int) -> bool:
    fits = value is ABSENT or isinstance(value, Mapping)
    return bool(_properties(part)) and part.get("type") == "object" and depth < MAX_DEPTH and fits


def _with(value: Mapping[str, Any], path: Path, new: Value) -> dict[str, Any]:
    """*value* with *new* at *path*; ABSENT takes it away, and an object that is empty then."""
    key, rest = path[0], path[1:]
    found = dict(value)
    if rest:
        inner = found.get(key)
        new = _with(inner if isinstance(inner, Mapping) else {}, rest, new) or ABSENT
    if new is ABSENT:
        found.pop(key, None)
    else:
        found[key] = new
    return found
