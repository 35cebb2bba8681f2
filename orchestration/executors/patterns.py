"""Patterns of schemas, matched in time that grows with the text only: no pattern can hang the engine."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

op, parser = import_module("re._constants"), import_module("re._parser")  # not in every version of the type stubs

MAX_PATTERN = 500  # characters
MAX_PROGRAM = 1000  # instructions
MAX_STEPS = 500_000  # text length x instructions: below 0.2 s

Test = Callable[[str], bool]
_WORD = re.compile(r"\w", re.ASCII)
_CATEGORIES: dict[Any, Test] = {
    op.CATEGORY_DIGIT: lambda c: "0" <= c <= "9",
    op.CATEGORY_NOT_DIGIT: lambda c: not "0" <= c <= "9",
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_NOT_SPACE: lambda c: not c.isspace(),
    op.CATEGORY_WORD: lambda c: _WORD.match(c) is not None,
    op.CATEGORY_NOT_WORD: lambda c: _WORD.match(c) is None,
}


class PatternError(ValueError):
    """The pattern cannot be used, or the text is too long for it."""


def check_pattern(pattern: str) -> None:
    """Raises PatternError unless `search` can use *pattern*."""
    _program(pattern)


def search(pattern: str, text: str) -> bool:
    """Whether *pattern* matches anywhere in *text*. Raises PatternError."""
    program = _program(pattern)
    if (len(text) + 1) * len(program) > MAX_STEPS:
        raise PatternError(f"text of {len(text)} characters is too long to be matched with this pattern")
    threads: set[int] = set()
    for position in range(len(text) + 1):
        reached = _closure(program, threads | {0}, text, position)
        if len(program) in reached:
            return True
        if position == len(text):
            break
        character = text[position]
        threads = {at + 1 for at in reached if program[at][0] == "char" and program[at][1](character)}
    return False


def _closure(program: list[tuple[Any, ...]], starts: set[int], text: str, position: int) -> set[int]:
    """Every instruction that can be reached from *starts* without reading a character."""
    seen: set[int] = set()
    stack = list(starts)
    while stack:
        at = stack.pop()
        if at in seen:
            continue
        seen.add(at)
        if at == len(program):
            return seen
        kind = program[at][0]
        if kind == "split":
            stack += program[at][1:]
        elif kind == "jump":
            stack.append(program[at][1])
        elif kind == "at" and _holds(program[at][1], text, position):
            stack.append(at + 1)
    return seen


def _holds(place: Any, text: str, position: int) -> bool:
    if place in {op.AT_BEGINNING, op.AT_BEGINNING_STRING}:
        return position == 0
    if place in {op.AT_END, op.AT_END_STRING}:
        return position == len(text)
    before = position > 0 and _WORD.match(text[position - 1]) is not None
    after = position < len(text) and _WORD.match(text[position]) is not None
    return (before != after) is bool(place == op.AT_BOUNDARY)


@functools.lru_cache(maxsize=512)
def _program(pattern: str) -> list[tuple[Any, ...]]:
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"pattern longer than {MAX_PATTERN} characters")
    try:
        tree = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError, ValueError) as error:
        raise PatternError(f"not a pattern: {error}") from None
    if tree.state.flags & ~re.UNICODE.value:
        raise PatternError("flags such as (?i) are not supported in patterns")
    program: list[tuple[Any, ...]] = []
    _emit_all(program, tree)
    return program


def _emit_all(program: list[tuple[Any, ...]], tree: Any) -> None:
    for kind, value in tree:
        if len(program) > MAX_PROGRAM:
            raise PatternError("pattern is too complex")
        emit = _EMITTERS.get(kind)
        if emit is None:
            raise PatternError("look-around, back references and atomic groups are not supported in patterns")
        emit(program, kind, value)


def _emit_character(program: list[tuple[Any, ...]], kind: Any, value: Any) -> None:
    program.append(("char", _character_test(kind, value)))


def _emit_place(program: list[tuple[Any, ...]], _kind: Any, value: Any) -> None:
    program.append(("at", value))


def _emit_group(program: list[tuple[Any, ...]], _kind: Any, value: Any) -> None:
    _group, add_flags, del_flags, body = value
    if add_flags or del_flags:
        raise PatternError("flags such as (?i) are not supported in patterns")
    _emit_all(program, body)


def _emit_branch(program: list[tuple[Any, ...]], _kind: Any, value: Any) -> None:
    ends = []
    for body in value[1][:-1]:
        split = len(program)
        program.append(())
        _emit_all(program, body)
        ends.append(len(program))
        program.append(())
        program[split] = ("split", split + 1, len(program))
    _emit_all(program, value[1][-1])
    for end in ends:
        program[end] = ("jump", len(program))


def _emit_repeat(program: list[tuple[Any, ...]], _kind: Any, value: Any) -> None:
    low, high, body = value
    for _ in range(low):
        _emit_all(program, body)
        if len(program) > MAX_PROGRAM:
            raise PatternError("pattern is too complex")
    if high is op.MAXREPEAT:
        _emit_loop(program, body)
        return
    splits = []
    for _ in range(high - low):
        splits.append(len(program))
        program.append(())
        _emit_all(program, body)
        if len(program) > MAX_PROGRAM:
            raise PatternError("pattern is too complex")
    for split in splits:
        program[split] = ("split", split + 1, len(program))


def _emit_loop(program: list[tuple[Any, ...]], body: Any) -> None:
    split = len(program)
    program.append(())
    _emit_all(program, body)
    program.append(("jump", split))
    program[split] = ("split", split + 1, len(program))


def _character_test(kind: Any, value: Any) -> Test:
    if kind is op.LITERAL:
        wanted = chr(value)
        return lambda c: c == wanted
    if kind is op.NOT_LITERAL:
        unwanted = chr(value)
        return lambda c: c != unwanted
    if kind is op.ANY:
        return lambda c: c not in "\n\r\u2028\u2029"
    tests = [_member_test(*member) for member in value if member[0] is not op.NEGATE]
    if value[0][0] is op.NEGATE:
        return lambda c: not any(test(c) for test in tests)
    return lambda c: any(test(c) for test in tests)


def _member_test(kind: Any, value: Any) -> Test:
    if kind is op.RANGE:
        low, high = chr(value[0]), chr(value[1])
        return lambda c: low <= c <= high
    if kind is op.CATEGORY:
        return _CATEGORIES[value]
    return _character_test(kind, value)


_EMITTERS: dict[Any, Callable[[list[tuple[Any, ...]], Any, Any], None]] = {
    op.LITERAL: _emit_character,
    op.NOT_LITERAL: _emit_character,
    op.ANY: _emit_character,
    op.IN: _emit_character,
    op.AT: _emit_place,
    op.SUBPATTERN: _emit_group,
    op.BRANCH: _emit_branch,
    op.MAX_REPEAT: _emit_repeat,
    op.MIN_REPEAT: _emit_repeat,
}
