"""docs/faults.md names a test for every row; every test that it names exists and carries the mark `fault`."""

from __future__ import annotations

import ast
import re

from tests.support_processes import ROOT

ROWS = [f"F{number}" for number in range(1, 38)]


def matrix():
    """Row -> the tests that it names, as path::name."""
    rows = {}
    for line in (ROOT / "docs" / "faults.md").read_text().splitlines():
        if match := re.match(r"\| (F\d+) \|", line):
            named, path = [], ""
            for part in re.findall(r"`([^`]*::[^`]*)`", line.split("|")[3]):
                found, _, name = part.partition("::")
                path = found or path
                named.append(f"{path}::{name}")
            rows[match[1]] = named
    return rows


def functions(path):
    return {
        n.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_row_has_tests_and_they_exist():
    rows = matrix()
    assert list(rows) == ROWS
    assert [row for row, named in rows.items() if not named] == []
    missing = [name for named in rows.values() for name in named if not exists(name)]
    assert missing == []


def exists(name):
    path, _, function = name.partition("::")
    return (ROOT / path).is_file() and function in functions(ROOT / path)


def test_every_test_of_the_table_has_the_mark():
    """So that `-m fault` is all of it."""
    named = {name for names in matrix().values() for name in names}
    assert sorted(name for name in named if not marked(*name.split("::"))) == []


def marked(path, name):
    """By a decorator, or by `pytestmark` of its file."""
    body = ast.parse((ROOT / path).read_text()).body
    own = [d for n in body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name == name
           for d in n.decorator_list]  # fmt: skip
    of_all = [n.value for n in body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "pytestmark"]
    return any("pytest.mark.fault" in map(ast.unparse, ast.walk(mark)) for mark in own + of_all)


def test_every_test_of_a_row_is_in_the_table():
    """A new test is told of, and its name says which row it belongs to."""
    named = {name for names in matrix().values() for name in names}
    written = {
        f"{path.relative_to(ROOT).as_posix()}::{name}"
        for path in (ROOT / "tests" / "faults").glob("test_f*.py")
        for name in functions(path)
        if name.startswith("test_") and name != "test_trouble_is_said"
    }
    assert written - named == set()


def test_the_documents_name_every_fault_of_the_soak():
    text = (ROOT / "docs" / "faults.md").read_text()
    source = (ROOT / "orchestration" / "soak" / "nemesis.py").read_text()
    faults = re.search(r"^ALL = \((.*)\)$", source, re.MULTILINE)
    assert faults
    assert [name for name in re.findall(r'"(\w+)"', faults[1]) if f"| `{name}` |" not in text] == []
