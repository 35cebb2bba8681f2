"""The fields of schema forms: each turns a JSON value into the text of a widget and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.utils.translation import gettext

from orchestration.conf import conf
from orchestration.domain.errors import Invalid
from orchestration.domain.json_gate import parse_json

MAX_NUMBER = 40  # characters
LONG = 80  # characters of text that get more than one line
LONG_KEYS = frozenset({"body", "html", "text", "script", "sql", "prompt"})
WIDGETS = ("email", "date", "time", "password")  # formats of a schema that are kinds of <input> as well
SCALARS = ("string", "integer", "number", "boolean")


class _Absent:
    """No value: the key is left out."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
type Value = Any  # a JSON value, or ABSENT


class ValueField(forms.Field):
    """A field whose empty text means that there is no value."""

    needed = False  # the schema requires it
    wide = False  # takes the whole width

    def __init__(self, part: Mapping[str, Any], **options: Any) -> None:
        super().__init__(required=False, **options)
        self.part = part
        self.widget.attrs.setdefault("class", "form-control")
        self.widget.attrs.setdefault("autocomplete", "off")
        default = part.get("default", ABSENT)
        if default not in (ABSENT, "", [], {}):
            self.widget.attrs.setdefault(
                "placeholder", (gettext("default: %(text_of)s") % {"text_of": text_of(default)})
            )

    def fits(self, value: Value) -> bool:
        """Whether the widget can show *value* and give the same back."""
        return isinstance(value, str)

    def read(self, text: str) -> Value:
        """The value of a text that is not empty. Raises ValueError with what is wrong."""
        return text

    def prepare_value(self, value: Value) -> str:
        return "" if value is ABSENT or value is None else text_of(value)

    def to_python(self, value: Any) -> Value:
        text = str(value or "").replace("\r\n", "\n")
        if not text.strip():
            return ABSENT
        try:
            return self.read(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def validate(self, value: Value) -> None:
        """Whether a value is required is told by the schema."""


class TextField(ValueField):
    """One line, or several where the text is long."""

    def __init__(self, part: Mapping[str, Any], *, lines: bool) -> None:
        self.wide = lines
        kind = part.get("format") if part.get("format") in WIDGETS else "text"
        widget: forms.Widget = forms.Textarea({"rows": 3}) if lines else forms.TextInput({"type": kind})
        super().__init__(part, widget=widget)


class NumberField(ValueField):
    """A whole number, or any."""

    def __init__(self, part: Mapping[str, Any], *, whole: bool) -> None:
        self.whole = whole
        attributes = {"type": "text", "inputmode": "numeric" if whole else "decimal"}
        super().__init__(part, widget=forms.TextInput(attributes))

    def fits(self, value: Value) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool)

    def read(self, text: str) -> Value:
        text = text.strip()
        try:
            if len(text) > MAX_NUMBER:
                raise ValueError
            number: Any = parse_json(text, max_bytes=MAX_NUMBER)
        except (ValueError, Invalid):
            number = text
        if not self.fits(number) or (self.whole and not isinstance(number, int)):
            raise ValueError("expected a whole number such as 3" if self.whole else "expected a number such as 1.5")
        return number


class ChoiceField(ValueField):
    """One of the values of an enum, or yes or no."""

    def __init__(self, part: Mapping[str, Any], values: list[Any], words: Mapping[str, str] | None = None) -> None:
        self.values = {json.dumps(value): value for value in values}
        default = part.get("default", ABSENT)
        words = words or {}
        shown = [(key, words.get(key) or text_of(value)) for key, value in self.values.items()]
        key = json.dumps(default) if default is not ABSENT else ""
        empty = (
            (gettext("default: %(value)s") % {"value": words.get(key) or text_of(default)})
            if default is not ABSENT
            else "—"
        )
        super().__init__(part, widget=forms.Select({"class": "form-select"}, [("", empty), *shown]))

    def fits(self, value: Value) -> bool:
        return json.dumps(value) in self.values

    def read(self, text: str) -> Value:
        if text not in self.values:
            raise ValueError("choose one of the list")
        return self.values[text]

    def prepare_value(self, value: Value) -> str:
        if isinstance(value, str) and value in self.values:  # posted
            return value
        return "" if value is ABSENT else json.dumps(value)


class LinesField(ValueField):
    """A list of scalars, one a line. *single*: one line is the value itself."""

    wide = True

    def __init__(self, part: Mapping[str, Any], inner: ValueField, *, single: bool = False) -> None:
        super().__init__(part, widget=forms.Textarea({"rows": 2, "placeholder": gettext("one a line")}))
        self.inner, self.single = inner, single

    def fits(self, value: Value) -> bool:
        if self.single and isinstance(value, str):
            return "\n" not in value
        return isinstance(value, list) and all(self.inner.fits(v) and text_of(v).strip() == text_of(v) for v in value)

    def read(self, text: str) -> Value:
        found = [self.inner.read(line.strip()) for line in text.split("\n") if line.strip()]
        return found[0] if self.single and len(found) == 1 else found

    def prepare_value(self, value: Value) -> str:
        return "\n".join(map(text_of, value)) if isinstance(value, list) else super().prepare_value(value)


class JsonField(ValueField):
    """Any JSON value as text."""

    wide = True

    def __init__(self, part: Mapping[str, Any]) -> None:
        attributes = {"rows": 2, "class": "form-control mono", "spellcheck": "false", "placeholder": "JSON"}
        super().__init__(part, widget=forms.Textarea(attributes))

    def fits(self, value: Value) -> bool:
        return True

    def read(self, text: str) -> Value:
        try:
            return parse_json(text, max_bytes=conf().max_inputs_bytes)
        except Invalid as error:
            raise ValueError(f"{error.problems[0].message} (a text stands in quotes)") from None

    def prepare_value(self, value: Value) -> str:
        return value if isinstance(value, _Posted) else "" if value is ABSENT else json.dumps(value, ensure_ascii=False)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What was posted is shown as it was typed."""
        return _Posted(data or "")


class _Posted(str):
    __slots__ = ()


def text_of(value: Any) -> str:
    """*value* in a widget: texts as they are, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def field_for(part: Mapping[str, Any], value: Value) -> ValueField:
    """The field of a property; JSON text when its kind has no widget, or *value* does not fit that."""
    field = _by_kind(part, value)
    return field if value is ABSENT or field.fits(value) else JsonField(part)


def _by_kind(part: Mapping[str, Any], value: Value) -> ValueField:
    if isinstance(part.get("enum"), list) and part["enum"]:
        return ChoiceField(part, part["enum"])
    kind = _type(part)
    if kind == "string":
        title = str(part.get("title") or "").lower()
        long = isinstance(value, str) and (len(value) > LONG or "\n" in value)
        return TextField(part, lines=long or bool(LONG_KEYS & {title, *title.split()}))
    if kind in ("integer", "number"):
        return NumberField(part, whole=kind == "integer")
    if kind == "boolean":
        return ChoiceField(part, [True, False], {"true": "yes", "false": "no"})
    if kind == "array":
        inner = part.get("items")
        if isinstance(inner, Mapping) and _type(inner) in SCALARS and "enum" not in inner:
            return LinesField(part, _by_kind(inner, ABSENT))
    if _text_or_texts(part):
        return LinesField(part, TextField({}, lines=False), single=True)
    return JsonField(part)


def _type(part: Mapping[str, Any]) -> str:
    """The one type beside null, or ""."""
    kind = part.get("type")
    if isinstance(kind, list):
        left = [one for one in kind if one != "null"]
        kind = left[0] if len(left) == 1 else ""
    return kind if isinstance(kind, str) else ""


def _text_or_texts(part: Mapping[str, Any]) -> bool:
    options = part.get("anyOf") or part.get("oneOf")
    if not isinstance(options, list) or not all(isinstance(one, Mapping) for one in options):
        return False
    kinds = sorted(_type(one) for one in options)
    lists = [one for one in options if _type(one) == "array"]
    return kinds == ["array", "string"] and _type(lists[0].get("items") or {}) == "string"
