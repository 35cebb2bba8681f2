"""Every link of the documents leads somewhere: to a file of this project and, with a #, to a heading in it."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(p for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md") for p in ROOT.glob(pattern))
FENCED = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1`*~* *$", re.M | re.S)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.M)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.I)
FROM_README = ("docs/scale-out.md", "docs/postgresql.md", "docs/settings.md", "ARCHITECTURE.md")


def links_of(text):
    """The relative links of a document; what is code is no link."""
    prose = CODE.sub("code", FENCED.sub("", text))
    return [link for link in LINK.findall(prose) if not ELSEWHERE.match(link)]


@cache
def anchors_of(path):
    """The ids that the headings of *path* get where documents are shown."""
    found: set[str] = set()
    seen: Counter[str] = Counter()
    for heading in HEADING.findall(FENCED.sub("", path.read_text())):
        words = LINK.sub(lambda match: match[0].partition("](")[0].lstrip("!["), heading)
        slug = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def problem(document, link):
    """What is wrong with *link*, or ""."""
    place, _, anchor = unquote(link).partition("#")
    target = (document.parent / place).resolve() if place else document
    if place.startswith("/") or not target.is_relative_to(ROOT):
        return f"{link}: leads out of the project"
    if not target.exists():
        return f"{link}: no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors_of(target):
        return f"{link}: no such heading; there are {', '.join(sorted(anchors_of(target)))}"
    return ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document):
    problems = [problem(document, link) for link in links_of(document.read_text())]
    assert [text for text in problems if text] == []


@pytest.mark.parametrize("target", FROM_README)
def test_the_readme_leads_to(target):
    assert target in links_of((ROOT / "README.md").read_text())


@pytest.mark.parametrize(
    "link", ["docs/no-such.md", "docs/settings.md#no-such", "../outside.md", "/docs/settings.md", "docs/img/none.png"]
)
def test_the_rule_above_sees(link):
    assert links_of(f"Read [this]({link}) and\n![that]({link} 'title').") == [link, link]
    assert problem(ROOT / "README.md", link)


@pytest.mark.parametrize(
    "link", ["docs/settings.md", "docs/settings.md#settings", "#what-next", "docs/img/run-dark.png"]
)
def test_the_rule_above_lets_pass(link):
    assert problem(ROOT / "README.md", link) == ""


def test_code_and_other_sites_are_no_relative_links():
    assert links_of("`[a](b)` [c](https://example.org/)\n```\n[d](e)\n```\n[f](g)") == ["g"]
