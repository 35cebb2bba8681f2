"""House rules that no linter checks."""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("apflow_site", "dashboard", "orchestration", "examples")
SOURCES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts
)
TEMPLATES = sorted(
    path for folder in ("templates", *PACKAGES) for path in (ROOT / folder).rglob("*.html") if path.is_file()
)
FRAGMENTS = [path for path in TEMPLATES if path.name.startswith("_")]
VENDOR = ROOT / "static" / "vendor"
MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 50
# the domain has no tables: it computes in memory what transitions write
STATUS_WRITERS = re.compile(r"orchestration/(services/transitions\w*|guards|domain/\w+)\.py")
STATUS_SQL = re.compile(r"UPDATE\s+\S*(task|run|attempt)\b.*?\bSET\b(?:(?!\bWHERE\b).)*?\bstatus\s*=", re.S)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def parsed(path):
    return ast.parse(path.read_text(), filename=str(path))


def text_of(node):
    """The literal text of a string or f-string."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(value) for value in node.values)
    if isinstance(node, ast.FormattedValue):
        return "x"
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def writes_status(node):
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(
            isinstance(t, ast.Attribute)
            and t.attr == "status"
            and not (isinstance(t.value, ast.Name) and t.value.id in {"self", "response"})
            for t in targets
        )
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in {"update", "aupdate"} and any(k.arg == "status" for k in node.keywords)
    return bool(STATUS_SQL.search(text_of(node)))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_and_functions_are_short(path):
    assert len(path.read_text().splitlines()) <= MAX_FILE_LINES
    functions = [n for n in ast.walk(parsed(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions if f.end_lineno - f.lineno >= MAX_FUNCTION_LINES}
    assert not long


@pytest.mark.parametrize("path", [p for p in SOURCES if not STATUS_WRITERS.fullmatch(name_of(p))], ids=name_of)
def test_only_transitions_write_a_status(path):
    assert [node.lineno for node in ast.walk(parsed(path)) if writes_status(node)] == []


@pytest.mark.parametrize(
    "line",
    [
        "task.status = 'x'",
        "Task.objects.filter(pk=1).update(status='x')",
        "sql = 'UPDATE orchestration_task SET progress = 1, status = %s WHERE id = %s'",
        "sql = f'UPDATE {table}_run SET status = 1'",
    ],
)
def test_the_rule_above_sees(line):
    assert any(writes_status(node) for node in ast.walk(ast.parse(line)))


@pytest.mark.parametrize("line", ["self.status = 1", "sql = 'UPDATE orchestration_task SET a = 1 WHERE status = 2'"])
def test_the_rule_above_lets_pass(line):
    assert not any(writes_status(node) for node in ast.walk(ast.parse(line)))


def test_bulk_update_is_not_used():
    assert [name_of(path) for path in SOURCES if "bulk_update(" in path.read_text()] == []


def test_a_fragment_checks_no_permission():
    checking = [p for p in FRAGMENTS if re.search(r"{%\s*(el)?if[^%]*\bperms\b", p.read_text())]
    assert [name_of(p) for p in checking] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_templates_keep_to_the_content_security_policy(path):
    text = path.read_text()
    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"<style\b", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"\s(hx-on|on[a-z]+)[:\w.-]*\s*=", text)
    assert not re.search(r"\bjs:", text)


def test_vendored_files_are_what_vendor_md_says():
    listed = dict(re.findall(r"`?([\w./@-]+\.(?:js|css|woff2|svg|map|txt))`?[^\n]*?\b([0-9a-f]{64})\b", vendor_text()))
    present = [p for p in VENDOR.rglob("*") if p.is_file() and p.suffix in {".js", ".css", ".woff2", ".svg"}]
    assert present
    for path in present:
        relative = path.relative_to(VENDOR).as_posix()
        digest = listed.get(relative) or listed.get(path.name) or listed.get(f"static/vendor/{relative}")
        assert digest == hashlib.sha256(path.read_bytes()).hexdigest(), relative


def vendor_text():
    return (VENDOR / "VENDOR.md").read_text()
