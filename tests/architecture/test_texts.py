"""Every English text of the pages is in the translation catalogue: templates and code mark what a person reads."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
# not words of a language: names, keys of a keyboard, code
SAME_EVERYWHERE = re.compile(
    r"apflow|Alt|Ctrl|Shift|Enter|Esc|Delete|JSON|parent_id|dependencies|python3 manage\.py up|curl|SHA256"
    r"|administration|token\.create|tree:7|input = path\.in\.result|X-[A-Za-z-]+|HMAC|URL|POST"
)
HIDDEN = (
    r"{#.*?#}",
    r"{% comment %}.*?{% endcomment %}",
    r"{% blocktranslate.*?{% endblocktranslate %}",
    r"<(script|style|svg|code|kbd|pre|textarea)\b.*?</\1>",
    r"{%.*?%}",
    r"{{.*?}}",
)
READ_ALOUD = re.compile(r'(?<=\s)(?:title|aria-label|placeholder|alt)="([^"]*)"')


def unmarked(source):
    """The words of *source* that no translation reaches."""
    for pattern in HIDDEN:
        source = re.sub(pattern, "\n", source, flags=re.S)
    texts = READ_ALOUD.findall(source) + re.sub(r"<[^>]*>", "\n", source, flags=re.S).split("\n")
    return [text.strip() for text in texts if re.search(r"[A-Za-z]{2}", SAME_EVERYWHERE.sub("", text))]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_every_text_of_a_template_can_be_translated(path):
    assert unmarked(path.read_text()) == []


def test_the_rule_above_sees_text_and_attributes():
    assert unmarked('<p title="Go on">{{ name }} waits</p>') == ["Go on", "waits"]
    assert unmarked('<p title="{% translate "Go on" %}">{{ name }}</p>') == []


# texts of code: words with a space between them, or one word as a label; a \0 stands for a value in an f-string
PROSE = re.compile(r"[A-Za-z]{2,}[ ,:]+[a-z\0(“]|\0 [a-z]{2,}|^[A-Z][a-z]+$")
CODE = re.compile(
    r"[<>]|^[a-z]+=|https?:|form-control|Content-Type|curl |admin:index"
    r"|^(?:try|span|actions|rows|looks|tree:) ?\0$|^Lax$"
    r"|^(?:Server health report|Ship an order|Index the archive)$"  # the samples of the tour keep their names
)
CATALOGUED = {"gettext", "_", "ngettext", "gettext_lazy", "gettext_noop"}
MARKED = CATALOGUED | {"format_html", "format_html_join", "once", "path", "getattr"}
ERRORS = {"Problem", "Invalid", "OrchestrationError", "NotFound"}  # said alike by pages and API, in English
LOUD = sorted(
    path
    for path in (ROOT / "dashboard").rglob("*.py")
    if not {"bench", "management"} & set(path.parts) and path.name != "apps.py"
)
DOMAIN = ROOT / "orchestration/domain"
SPEAKING = ("story.py", "lint.py", "operations.py", "rerun.py")  # the rest of the domain speaks in errors
LOUD += sorted([*(DOMAIN / name for name in SPEAKING), *(DOMAIN / "explain").glob("*.py")])


def unmarked_code(source):
    """The texts of Python *source* that no translation reaches."""
    return list(_unmarked(ast.parse(source)))


def _unmarked(node):
    if isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and _name(node.func) in MARKED | ERRORS):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    if isinstance(node, ast.ClassDef) and any(_name(base) == "StrEnum" for base in node.bases):
        return  # its values are for programs
    text = _text(node)
    if text is None:
        for child in ast.iter_child_nodes(node):
            yield from _unmarked(child)
    elif PROSE.search(text) and not CODE.search(text):
        yield text


def _name(function):
    if isinstance(function, ast.Attribute):
        loud = isinstance(function.value, ast.Name) and function.value.id in {"logger", "re"}
        return "getattr" if loud else function.attr
    return getattr(function, "id", "")


def _text(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
    return None


def catalogued(source):
    """The texts that Python *source* asks the catalogue for."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _name(node.func) in CATALOGUED:
            forms = node.args[: 2 if _name(node.func) == "ngettext" else 1]
            yield from (text for text in map(_text, forms) if text is not None)


@pytest.mark.parametrize("path", LOUD, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_text_of_the_pages_code_can_be_translated(path):
    assert unmarked_code(path.read_text()) == []


def test_the_rule_above_sees_texts_of_code():
    assert unmarked_code('def f(n):\n    """Words here."""\n    return f"{n} tasks failed"') == ["\0 tasks failed"]
    assert unmarked_code('WORDS = {"a": "not run"}') == ["not run"]
    assert unmarked_code('def f(n):\n    return gettext("%(n)s tasks failed") % {"n": n}') == []


def test_the_rule_below_sees_every_form_and_values_that_belong_into_placeholders():
    assert list(catalogued('ngettext("%(n)s task",\n"%(n)s tasks", n), gettext_noop("a " "b")')) == [
        "%(n)s task",
        "%(n)s tasks",
        "a b",
    ]
    assert list(catalogued('gettext(text), gettext(f"{name} waits")')) == ["\0 waits"]


def test_the_catalogue_has_every_plain_text():
    catalogue = (ROOT / "locale/en/LC_MESSAGES/django.po").read_text()
    known = {
        ast.literal_eval(f"({entry})")
        for entry in re.findall(r"^msgid(?:_plural)? ((?:\"(?:[^\"\\]|\\.)*\"\s*)+)", catalogue, flags=re.M)
    }
    used = {text for path in TEMPLATES for _, text in re.findall(r"""{% translate (["'])(.*?)\1""", path.read_text())}
    used |= {text for path in LOUD for text in catalogued(path.read_text())}
    assert sorted(used - known) == [], "remake it: .venv/bin/python manage.py makemessages -l en --no-location -i .venv"
