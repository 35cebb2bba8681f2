"""Every English text of the pages is in the translation catalogue: templates mark what a person reads."""

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


def test_the_catalogue_has_every_plain_text():
    catalogue = (ROOT / "locale/en/LC_MESSAGES/django.po").read_text()
    known = {
        "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', entry)).replace('\\"', '"')
        for entry in re.findall(r"^msgid ((?:\"(?:[^\"\\]|\\.)*\"\s*)+)", catalogue, flags=re.M)
    }
    used = {text for path in TEMPLATES for _, text in re.findall(r"""{% translate (["'])(.*?)\1""", path.read_text())}
    assert sorted(used - known) == [], "remake it: .venv/bin/python manage.py makemessages -l en --no-location -i .venv"
