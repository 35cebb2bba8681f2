"""docs/api.md: every command in it works, in order, against what it describes."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from orchestration.services.tokens import token_create
from tests.api.conftest import Api
from tests.factories import make_user

pytestmark = pytest.mark.django_db

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
TAKEN = re.compile(r"([A-Z]+)=([\w.]+)")


def lines_of_guide():
    for block in re.findall(r"```console\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        yield from block.splitlines()


def call(api, command, values):
    """What `curl` would do with *command*."""
    words, method, headers, body, url = iter(shlex.split(command)[1:]), "GET", {}, None, ""
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, text = next(words).partition(": ")
            headers[name] = text
        elif word == "-d":
            body = next(words)
        else:
            url = word
    for name, value in values.items():
        url = url.replace(f"${name}", value)
        body = body and body.replace(f"${name}", value)
        headers = {key: text.replace(f"${name}", value) for key, text in headers.items()}
    assert "$" not in url + (body or "")
    given = {key.replace("-", "_"): text for key, text in headers.items() if key != "Content-Type"}
    return api.send(method, url, body, content_type=headers.get("Content-Type", "text/plain"), **given)


def taken(answer, path):
    value = answer.json()
    for word in path.split("."):
        value = value[int(word)] if isinstance(value, list) else value[word]
    return str(value)


def test_every_command_works(ann):
    token = token_create(user=ann, name="guide", scope="admin")[1]
    values, api, answer = {"URL": "", "TOKEN": token, "FRIEND": make_user("friend").username}, Api(), None
    commands = 0
    for line in lines_of_guide():
        if line.startswith("$ curl"):
            answer = call(api, line[2:], values)
            assert answer.status_code in (200, 201, 202, 204), (line, answer.content)
            commands += 1
        else:
            name, path = TAKEN.fullmatch(line).groups()
            values[name] = taken(answer, path)
    assert commands >= 20


def test_the_shown_error_is_what_is_answered(api):
    shown = json.loads(re.search(r"```json\n(.*?)```", GUIDE.read_text(), re.DOTALL)[1])
    answer = api.post("trees/", {"tasks": [{"nam": "x", "name": "y"}]}).json()
    assert answer == shown
