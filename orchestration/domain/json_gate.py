"""The one strict gate for JSON and for short texts: what passes here can be stored, sent and shown anywhere."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, NoReturn

import orjson

from orchestration.domain.errors import Invalid, Problem

MAX_DEPTH = 64
INT_MIN, INT_MAX = -(2**63), 2**63 - 1
KIB, MIB = 1024, 1024 * 1024
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_KEYS, _SCALARS = frozenset({str}), frozenset({str, int, float, bool, type(None)})
_SUSPECT_TEXT = re.compile(rb"\d{19}|\\u0000")  # too big an integer, a null character
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LINE_BREAKS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
_CONTROLS_MULTILINE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")


class _Refused(Exception):
    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def size_text(size: int) -> str:
    """A size as people say it: `1 MiB`, `256 KiB`, `100 bytes`."""
    for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"


def safe_text(text: str, limit: int | None = None) -> str:
    """*text* without NUL and lone surrogates (shown as U+FFFD), cut to *limit* characters."""
    if limit is not None and len(text) > limit:
        text = text[: max(0, limit - 1)] + "…"
    return _UNSTORABLE.sub("\ufffd", text)


def parse_json(raw: bytes | str, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> Any:
    """The value that *raw* says. Raises Invalid with one problem that says what is wrong and where."""
    text = _decode(raw, max_bytes)
    _check_text_depth(text, max_depth)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
            parse_int=_parse_int,
            parse_float=_parse_float,
        )
    except _Refused as refused:
        _fail("", refused.message, refused.code)
    except json.JSONDecodeError as error:
        _fail("", _decode_message(error), "invalid_json")
    if _SUSPECT_ESCAPE.search(text):
        problem = _find_problem(value, "", max_depth)
        if problem:
            _fail(problem.path.removeprefix("$").removeprefix("."), problem.message, problem.code)
    return value


def _decode(raw: bytes | str, max_bytes: int) -> str:
    if isinstance(raw, str):
        if _SURROGATE.search(raw):
            _fail("", "surrogate characters are not allowed", "invalid_character")
        size, text = len(raw) if raw.isascii() else len(raw.encode()), raw
    else:
        size, text = len(raw), ""
    if size > max_bytes:
        _fail("", f"request larger than {size_text(max_bytes)}", "body_too_large")
    if isinstance(raw, bytes):
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            _fail("", "body is not UTF-8", "invalid_json")
    if text.startswith("\ufeff"):
        _fail("", "unexpected byte order mark", "invalid_json")
    return text


def _check_text_depth(text: str, max_depth: int) -> None:
    if text.count("[") + text.count("{") <= max_depth:
        return
    bare = _STRING.sub("", text)
    steps = (1 if bracket in "[{" else -1 for bracket in _BRACKET.findall(bare))
    if max(accumulate(steps), default=0) > max_depth:
        _fail("", f"JSON nested deeper than {max_depth} levels", "json_too_deep")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Refused(f"key '{safe_text(key, 60)}' appears twice", "duplicate_key")
            seen.add(key)
    return found


def _refuse_constant(_name: str) -> NoReturn:
    raise _Refused("NaN and Infinity are not JSON", "invalid_json")


def _parse_int(digits: str) -> int:
    if len(digits) <= 18:
        return int(digits)
    number = int(digits) if len(digits) <= 20 else INT_MAX + 1
    if not INT_MIN <= number <= INT_MAX:
        raise _Refused("integers must fit into 64 bits", "invalid_json")
    return number


def _parse_float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _Refused("number too large", "invalid_json")
    return number


def _decode_message(error: json.JSONDecodeError) -> str:
    if error.msg == "Extra data":
        return f"unexpected data after JSON (line {error.lineno}, column {error.colno})"
    return f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})"


def check_json(value: Any, *, path: str = "", max_bytes: int, max_depth: int = MAX_DEPTH) -> str:
    """Compact JSON text of *value* (tuples become arrays). Raises Invalid naming the place, such as `$.a[3]`.

    Bounded whatever the value: no recursion, no cycle and no repeated object makes it run away.
    """
    if type(value) is dict and _KEYS.issuperset(map(type, value)) and _SCALARS.issuperset(map(type, value.values())):
        doubtful = sum([len(child) for child in value.values() if type(child) is str]) > max_bytes
    else:  # few are not flat
        doubtful = _check_shape(value, max_bytes, max_depth)
    raw = b"" if doubtful else _encode(value)
    if not raw or _SUSPECT_TEXT.search(raw):
        problem = _find_problem(value, path, max_depth, budget=max_bytes)
        if problem:
            raise Invalid([problem])
        raw = _ENCODER.encode(value).encode()  # a false alarm, such as a long row of digits in a string
    if len(raw) > max_bytes:
        _fail(path, f"larger than {size_text(max_bytes)}", "too_large")
    return raw.decode()


def _encode(value: Any) -> bytes:
    """Compact JSON of *value*, or nothing when a closer look is needed."""
    try:
        raw = orjson.dumps(value)
        return _ENCODER.encode(value).encode() if b"null" in raw else raw  # None, or NaN, which it must refuse
    except (TypeError, ValueError, RecursionError):
        return b""


def _check_shape(value: Any, max_bytes: int, max_depth: int) -> bool:
    """True when a closer look is needed: a key that is no text, no JSON type, a cycle or great depth, or too much."""
    level, depth, budget = [value], 0, max_bytes - (len(value) if isinstance(value, str) else 0)
    if budget < 0:
        return True
    while level:
        below: list[Any] = []
        for item in level:
            children: Iterable[Any]
            if isinstance(item, dict):
                if not {key.__class__ for key in item} <= _KEYS:
                    return True
                children = item.values()
                budget -= sum(map(len, item))
            elif isinstance(item, list | tuple):
                children = item
            elif item.__class__ in _SCALARS:
                continue
            else:
                return True
            budget -= len(item) + sum([len(child) for child in children if child.__class__ is str])
            if budget < 0:
                return True
            below += [child for child in children if child.__class__ not in _SCALARS]
        depth += 1
        if below and depth >= max_depth:
            return True
        level = below
    return False


def _find_problem(value: Any, path: str, max_depth: int, budget: int = 1 << 62) -> Problem | None:
    """The first thing wrong with *value*, in document order, found without recursion."""
    limit = budget
    stack: list[tuple[Any, str, int]] = [(value, path or "$", 1)]
    while stack:
        item, where, depth = stack.pop()
        budget -= 1 + (len(item) if isinstance(item, str) else 0)
        if budget < 0:
            return Problem(path, f"larger than {size_text(limit)}", "too_large")
        if isinstance(item, dict | list | tuple):
            if depth > max_depth:
                return Problem(path, f"nested deeper than {max_depth} levels, or contains itself", "json_too_deep")
            problem = _key_problem(item, where) if isinstance(item, dict) else None
            if problem:
                return problem
            stack.extend(reversed(_children(item, where, depth + 1)[: budget + 1]))
        elif complaint := _scalar_complaint(item):
            return Problem(where, *complaint)
    return None


def _children(item: Any, where: str, depth: int) -> list[tuple[Any, str, int]]:
    if isinstance(item, dict):
        return [(child, f"{where}.{safe_text(key, 60)}", depth) for key, child in item.items()]
    return [(child, f"{where}[{index}]", depth) for index, child in enumerate(item)]


def _key_problem(item: dict[Any, Any], where: str) -> Problem | None:
    for key in item:
        if not isinstance(key, str):
            name = safe_text(_short_repr(key), 60)
            return Problem(where, f"keys must be text, not {type(key).__name__} {name}", "invalid_json")
        if complaint := _text_complaint(key):
            return Problem(where, f"key: {complaint}", "invalid_character")
    return None


def _scalar_complaint(item: Any) -> tuple[str, str] | None:
    if item is None or isinstance(item, bool):
        return None
    if isinstance(item, str):
        complaint = _text_complaint(item)
        return (complaint, "invalid_character") if complaint else None
    if isinstance(item, int):
        return None if INT_MIN <= item <= INT_MAX else ("integers must fit into 64 bits", "invalid_json")
    if isinstance(item, float):
        return None if item - item == 0 else (f"{item!r} is not JSON", "invalid_json")
    return f"{safe_text(type(item).__name__, 60)} is not a JSON type", "invalid_json"


def _text_complaint(text: str) -> str:
    if "\0" in text:
        return "null characters are not allowed"
    return "surrogate characters are not allowed" if _SURROGATE.search(text) else ""


def _short_repr(key: Any) -> str:
    return repr(key) if isinstance(key, bool | float | type(None)) or (isinstance(key, int) and abs(key) < 1e9) else ""


def _fail(path: str, message: str, code: str) -> NoReturn:
    raise Invalid([Problem(path, message, code)])


# --- names and other short texts -----------------------------------------------------------------------------------


def text_problem(text: Any, *, max_length: int, field: str, single_line: bool = True) -> Problem | None:
    """What is wrong with a name or another short text, or None. *field* is the path that the problem names."""
    leaf = field.rpartition(".")[2]
    if not isinstance(text, str):
        return Problem(field, f"{leaf} must be a string", "invalid_type")
    if not text.strip():
        return Problem(field, f"{leaf} may not be blank", "blank")
    complaint = _text_complaint(text) or _character_complaint(text, single_line)
    if complaint:
        return Problem(field, complaint, "invalid_character")
    if not any(map(_is_visible, text)):
        return Problem(field, f"{leaf} has no visible character", "blank")
    if len(text) > max_length:
        return Problem(field, f"{leaf} is longer than {max_length} characters", "too_long")
    return None


def _character_complaint(text: str, single_line: bool) -> str:
    if text.isascii() and text.isprintable():
        return ""
    if single_line and _LINE_BREAKS.search(text):
        return "line breaks are not allowed"
    if (_CONTROLS if single_line else _CONTROLS_MULTILINE).search(text):
        return "control characters are not allowed"
    return "bidirectional control characters are not allowed" if _BIDI.search(text) else ""


def _is_visible(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] not in "ZM" and category not in {"Cc", "Cf", "Cs"} and character not in _FILLERS
