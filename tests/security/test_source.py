"""What the source must not contain. Each rule shows on a bad line that it can see."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = [p for part in ("apflow_site", "dashboard", "orchestration", "examples") for p in (ROOT / part).rglob("*.py")]
PAGES = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "static").glob("*.js")]
RULES = {
    "no view is exempt from CSRF checks (S5)": (PYTHON, r"csrf_exempt", "@csrf_exempt", ()),
    "text is marked as safe in two places (S6)": (
        PYTHON, r"mark_safe\(|SafeString\(", "mark_safe(x)", ("drawing.py", "live.py", "look.py"),
    ),
    "templates and scripts write no markup (S6)": (
        PAGES, r"\|\s*safe\b|autoescape\s+off|\.(inner|outer)HTML\s*=|insertAdjacentHTML", "{{ name|safe }}", (),
    ),
    "nothing of a request becomes keywords (S17)": (PYTHON, r"\*\*\s*(self\.)?request\b", "f(**request.GET)", ()),
    "serializers name their fields (S11)": (PYTHON, r"fields\s*=\s*['\"]__all__", 'fields = "__all__"', ()),
    "no pickles (S19)": (PYTHON, r"\b(pickle|marshal|shelve|dill)\b", "import pickle", ()),
    "nothing is evaluated (S19)": (PYTHON, r"(?<![\w.])(eval|exec)\(", "eval(text)", ()),
    "no shell (S2)": (PYTHON, r"shell\s*=\s*True|os\.system\(|os\.popen\(", "run(x, shell=True)", ()),
    "no tracebacks for people (S14)": (PAGES, r"traceback\.format|__traceback__", "{{ e.__traceback__ }}", ()),
}  # fmt: skip


def found(files, pattern, besides):
    for path in files:
        if path.name in besides or "vendor" in path.parts:
            continue
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if re.search(pattern, line.split("  # ")[0]):
                yield f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"


@pytest.mark.parametrize("rule", RULES)
def test_source(rule):
    files, pattern, bad, besides = RULES[rule]
    assert re.search(pattern, bad), "the rule sees nothing"
    assert len(files) > 10
    assert list(found(files, pattern, besides)) == []


def test_sessions_are_json(settings):
    assert settings.SESSION_SERIALIZER == "django.contrib.sessions.serializers.JSONSerializer"
    assert (settings.SESSION_COOKIE_AGE, settings.SESSION_COOKIE_HTTPONLY) == (12 * 3600, True)
