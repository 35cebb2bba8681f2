"""What the documentation promises is held by tests that exist, and its links lead somewhere."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs").glob("*.md"))
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
REQUIREMENT = re.compile(r"^\| (S\d+) \|", re.MULTILINE)
CLAUSE = re.compile(r"^\| *(\d+) *\| \*\*", re.MULTILINE)


@cache
def names_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def named():
    return [(guide.name, *found) for guide in GUIDES for found in TEST.findall(guide.read_text())]


@pytest.mark.parametrize(("guide", "path", "name"), named())
def test_each_named_test_exists(guide, path, name):
    assert name.startswith("test_")
    assert name in names_of(path), f"docs/{guide} names {path}::{name}"


def test_each_clause_of_the_contract_is_held_by_a_test():
    text = (ROOT / "docs" / "guarantees.md").read_text()
    rows = [line for line in text.splitlines() if CLAUSE.match(line)]
    assert [int(CLAUSE.match(row)[1]) for row in rows] == list(range(1, 27))
    assert [row.split("|")[1].strip() for row in rows if not TEST.search(row)] == []


def requirements():
    """(requirement of docs/security.md, what its last column names in code: files below tests/, and tools)."""
    lines = (ROOT / "docs" / "security.md").read_text().splitlines()
    return [
        (found[1], re.findall(r"`([^`]+)`", line.split("|")[4])) for line in lines if (found := REQUIREMENT.match(line))
    ]


def is_test(name):
    """A file of tests, or one of its functions; folders and patterns are none."""
    path, _, function = name.partition("::")
    file = ROOT / "tests" / path
    return file.is_file() and file.name.startswith("test_") and (not function or function in names_of(f"tests/{path}"))


def test_each_requirement_of_security_is_held_by_tests_that_exist():
    assert [number for number, _ in requirements()] == [f"S{number}" for number in range(1, 30)]
    assert [number for number, named in requirements() if not any(map(is_test, named))] == []
    paths = [(number, name) for number, named in requirements() for name in named if "/" in name]
    assert [pair for pair in paths if not is_test(pair[1]) and pair[1] != ".ci/run"] == []
