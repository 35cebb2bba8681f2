"""The part of the vendored style sheet that the pages use: `python3 -m tests.style_subset` writes it anew.

A browser matches every element against every rule: of 3,790 classes the pages use about thirty, and the other rules
made a page of 1,000 boxes four times as slow to style.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHOLE = ROOT / "static" / "vendor" / "tabler.min.css"
SUBSET = ROOT / "static" / "tabler-subset.css"
HEAD = "/* Tabler 1.6.1 (MIT), what pages use of it. Made by python3 -m tests.style_subset */\n"
SPLIT = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|/\*.*?\*/|[(){};,\[\]])""", re.DOTALL)
WORD = re.compile(r"[A-Za-z_][\w-]*")
CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*)")
FUNCTION = re.compile(r":(not|is|where|has)\(")
VARIABLE = re.compile(r"var\(\s*(--[\w-]+)")
TEXTS = re.compile(r'"([^"\n]*)"|\'([^\'\n]*)\'|`([^`]*)`')

# what the sheet says of every element, the root says once: both are inherited, and it is a third of the time to style
ONCE = {("*", "scrollbar-color"): ":root", ("::selection", "background-color"): ":root::selection"}

type Rules = list[tuple[str, str | Rules]]  # (selector or @rule, declarations or inner rules)


def words_used() -> set[str]:
    """Every word that may be a class on a page: from class attributes of templates, texts of scripts and dashboard."""
    words: set[str] = set()
    for path in (ROOT / "templates").rglob("*.html"):
        for value in re.findall(r'class="((?:\{%.*?%\}|\{\{.*?\}\}|[^"])*)"', path.read_text()):
            words.update(WORD.findall(value))
    code = [*(ROOT / "static").glob("*.js"), *(ROOT / "dashboard").rglob("*.py"), *(ROOT / "apflow_site").glob("*.py")]
    for path in code:
        for texts in TEXTS.findall(path.read_text()):
            words.update(word for text in texts for word in WORD.findall(text))
    return words


def subset(css: str, words: set[str], own: str) -> str:
    """The rules of *css* whose classes are among *words*, with the variables and animations they or *own* use."""
    rules = _kept(parse(css), lambda selector: matches(selector, words))
    while True:
        text = write(rules)
        used = set(VARIABLE.findall(text)) | set(VARIABLE.findall(own))
        moving = set(WORD.findall(" ".join(re.findall(r"animation(?:-name)?:([^;}]*)", text + own))))
        fewer = _pruned(rules, used, moving)
        if write(fewer) == text:
            return text
        rules = fewer


def parse(css: str) -> Rules:
    """The rules of a style sheet, nested ones inside their @rule."""
    tokens = iter([token for token in SPLIT.split(css) if token and not token.startswith("/*")])
    return list(_rules(tokens))


def _rules(tokens: Iterator[str]) -> Iterator[tuple[str, str | Rules]]:
    head = ""
    for token in tokens:
        if token == "{":
            name = head.strip()
            nested = name.startswith(("@media", "@supports", "@layer", "@container"))
            yield name, list(_rules(tokens)) if nested else _body(tokens)
            head = ""
        elif token == "}":
            return
        elif token == ";":
            head = ""  # @charset
        else:
            head += token


def _body(tokens: Iterator[str]) -> str:
    depth, text = 1, ""
    for token in tokens:
        depth += (token == "{") - (token == "}")
        if not depth:
            break
        text += token
    return text.strip()


def split(text: str, at: str) -> list[str]:
    """*text* at each *at* that is in no bracket and no string."""
    parts, depth = [""], 0
    for token in SPLIT.split(text):
        depth += (token in {"(", "["}) - (token in {")", "]"})
        if token == at and not depth:
            parts.append("")
        else:
            parts[-1] += token
    return [part.strip() for part in parts if part.strip()]


def matches(selector: str, words: set[str]) -> bool:
    """Whether a page that has only the classes *words* may hold what *selector* selects."""
    found = FUNCTION.search(selector)
    if found is None:
        return all(name in words for name in CLASS.findall(selector)) and _attributes(selector, words)
    end, depth = found.end(), 1
    while depth:
        depth += (selector[end] == "(") - (selector[end] == ")")
        end += 1
    inner = split(selector[found.end() : end - 1], ",")
    fits = found[1] == "not" or any(matches(one, words) for one in inner)
    return fits and matches(selector[: found.start()] + selector[end:], words)


def _attributes(selector: str, words: set[str]) -> bool:
    """A data-bs-* attribute is one that the pages have; a part of a class name is a part of a word."""
    for name, sign, value in re.findall(r"\[([\w-]+)(?:([~|^$*]?=)\"?([^\"\]]*)\"?)?\]", selector):
        if name.startswith("data-") and name not in {"data-bs-theme"}:
            return False
        if name == "class" and sign and not any(value.strip() in word for word in words):
            return False
    return True


def _dead(selector: str) -> bool:
    """Scroll bars have their standard properties; what is selected in a <pre> looks as elsewhere; "whatever follows a
    legend" would have every element styled again whenever one is put anywhere."""
    return "::-webkit-scrollbar" in selector or selector in {"pre ::selection", "legend+*"}


def _kept(rules: Rules, fits: Callable[[str], bool]) -> Rules:
    kept: Rules = []
    for head, body in rules:
        if not isinstance(body, str):
            inner = _kept(body, fits)
            if inner:
                kept.append((head, inner))
        elif head.startswith("@"):
            kept.append((head, body))
        else:
            first = body.split(":")[0]
            heads = [ONCE.get((one, first), one) for one in split(head, ",") if fits(one) and not _dead(one)]
            if heads:
                kept.append((",".join(heads), body))
    return kept


def _pruned(rules: Rules, used: set[str], moving: set[str]) -> Rules:
    """*rules* without variables that nothing has *used*, and without animations of which none is in *moving*."""
    kept: Rules = []
    for head, body in rules:
        if not isinstance(body, str):
            inner = _pruned(body, used, moving)
            if inner:
                kept.append((head, inner))
        elif head.startswith(("@keyframes", "@property")):
            if head.split()[1] in moving | used:
                kept.append((head, body))
        else:
            lines = [
                line for line in split(body, ";") if not line.startswith("--") or line.split(":")[0].strip() in used
            ]
            if lines:
                kept.append((head, ";".join(lines)))
    return kept


def write(rules: Rules) -> str:
    """*rules* as text, one on each line."""
    return "".join(f"{head}{{{body if isinstance(body, str) else chr(10) + write(body)}}}\n" for head, body in rules)


def current() -> str:
    """What the file should hold."""
    own = "".join(path.read_text() for path in sorted((ROOT / "static").glob("*.css")) if path != SUBSET)
    return HEAD + subset(WHOLE.read_text(), words_used(), own)


if __name__ == "__main__":
    SUBSET.write_text(current())
