"""References to secrets in inputs and params, and the hiding of secrets in whatever comes out of an attempt.

A reference is an object with one key: `{"$secret": "name"}` in the place of a text.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

from orchestration.domain.errors import OrchestrationError, Problem
from orchestration.domain.work import Outcome

KEY = "$secret"
MARK = '"$secret"'  # in the JSON text of everything that holds a reference
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
NAME_RULE = "1 to 100 letters, digits, '_', '-' and '.', the first no '-' or '.'"
MIN_LENGTH, MAX_LENGTH = 4, 16 * 1024  # characters of a value; shorter ones would be hidden in every other word
MASK = "***"
LINE = 8  # characters of a line of a long secret that is hidden by itself
CUTS = re.compile(r"(\n?… \d+ bytes left out …\n|… \d+ bytes before this were dropped\n|…)")  # of shortened texts


class SecretMissing(OrchestrationError):
    """A task refers to a secret that its owner does not have."""

    code = "secret_missing"


class SecretUnreadable(OrchestrationError):
    """A secret cannot be opened with the keys of this process."""

    code = "secret_unreadable"


# --- references --------------------------------------------------------------------------------------------------


def names_in(value: Any) -> set[str]:
    """The names that *value* (JSON) refers to."""
    return {found[KEY] for found, _ in _references(value, "") if _is_reference(found)}


def reference_problems(value: Any, path: str) -> list[Problem]:
    """What is wrong with the references in *value*."""
    return [
        Problem(where, f'write a secret as {{"{KEY}": "name"}}, the name being {NAME_RULE}', "invalid_secret")
        for found, where in _references(value, path)
        if not _is_reference(found)
    ]


def filled(value: Any, values: Mapping[str, str]) -> Any:
    """*value* with the secrets in place of their references; what has none is shared, not copied."""
    if isinstance(value, dict):
        return values[value[KEY]] if KEY in value else {key: filled(inner, values) for key, inner in value.items()}
    return [filled(inner, values) for inner in value] if isinstance(value, list) else value


def _references(value: Any, path: str) -> Iterator[tuple[dict[str, Any], str]]:
    stack = [(value, path)]
    while stack:
        found, where = stack.pop()
        if isinstance(found, dict):
            if KEY in found:
                yield found, where
            else:
                stack += [(inner, f"{where}.{str(key)[:64]}") for key, inner in found.items()]
        elif isinstance(found, list):
            stack += [(inner, f"{where}[{index}]") for index, inner in enumerate(found)]


def _is_reference(found: dict[str, Any]) -> bool:
    name = found[KEY]
    return len(found) == 1 and isinstance(name, str) and NAME.fullmatch(name) is not None


# --- hiding ------------------------------------------------------------------------------------------------------


class Masker:
    """Hides values wherever they stand, in each of the forms that programs commonly give them."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = frozenset(value for value in values if len(value) >= MIN_LENGTH)
        forms = {form for value in self._values for form in _forms(value) if len(form) >= MIN_LENGTH}
        ordered = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        self._forms = ordered

    def text(self, text: str) -> str:
        """*text* without the secrets, nor what is left of one where the text was cut."""
        if self._pattern is None or not text:
            return text
        parts = CUTS.split(self._pattern.sub(MASK, text))  # text, cut, text, cut, text
        last = len(parts) - 1
        for index in range(0, len(parts), 2):
            parts[index] = self._trimmed(parts[index], begins=index > 0, ends=index < last)
        return "".join(parts)

    def value(self, value: Any) -> Any:
        """The same for a JSON value, keys and numbers included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        if isinstance(value, int | float) and not isinstance(value, bool) and json.dumps(value) in self._values:
            return MASK
        return value

    def outcome(self, outcome: Outcome) -> Outcome:
        """*outcome*, fit to be stored."""
        result = outcome.result
        return replace(
            outcome,
            result=None if result is None else json.dumps(self.value(json.loads(result)), ensure_ascii=False),
            error=None if outcome.error is None else self.text(outcome.error),
            error_code=self.text(outcome.error_code),
            traceback=self.text(outcome.traceback),
            log=self.text(outcome.log),
            message=self.text(outcome.message),
        )

    def _trimmed(self, part: str, *, begins: bool, ends: bool) -> str:
        """Without the rest of a secret where *part* begins or ends with a cut."""
        for form in self._forms:
            if begins and (size := _overlap(form, part)):
                part = MASK + part[size:]
            if ends and (size := _overlap(part, form)):
                part = part[:-size] + MASK
        return part


def _overlap(first: str, second: str) -> int:
    """How many characters (at least MIN_LENGTH) at the end of *first* are the beginning of *second*."""
    most = min(len(first), len(second))
    return next((n for n in range(most, MIN_LENGTH - 1, -1) if first[-n:] == second[:n]), 0)


def _forms(value: str) -> Iterator[str]:
    plain = [value, *(line for line in map(str.strip, value.splitlines()) if LINE <= len(line) < len(value))]
    for text in plain:
        escaped = json.dumps(text)[1:-1]
        yield from (text, escaped, json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1], html.escape(text))
        yield from (json.dumps(escaped)[1:-1], text.encode("unicode_escape").decode())
    for quoted in (quote(value, safe=""), quote(value), quote_plus(value), quote(value, safe="~()*!.'")):
        yield from (quoted, re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted))
    raw = value.encode("utf-8", "surrogatepass")
    yield from (raw.hex(), raw.hex().upper())
    yield from _base64(raw)


def _base64(raw: bytes) -> Iterator[str]:
    """What of the base64 of a text that holds *raw* is the same, whatever stands before and after it."""
    for before in range(3):
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * before + raw).decode()[first:last]
