"""What the body of a request may change."""

from __future__ import annotations

import json

import pytest

from orchestration.domain.errors import Invalid
from orchestration.domain.triggers import overrides_of
from orchestration.models import Run, Task
from tests.factories import task_named
from tests.triggers.conftest import Sender, refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def ids(tree):
    return {name: str(task_named(tree, name).pk) for name in ("load", "send")}


def overrides(answer):
    return Run.objects.get(pk=answer.json()["run"]).overrides


def test_without_leave_a_body_is_refused(make):
    sender = Sender(make())
    for body in (b'{"a": 1}', b"[]", b"0", b'""', b"false"):
        assert refusal(sender.send(body)) == (400, "body_not_taken")
    assert overrides(sender.send(b"{}")) == {}


@pytest.mark.parametrize("body", [b'{"ref": "main"}', b"[1, 2]", b'"text"', b"0", b"{}"])
def test_a_payload_is_one_input_as_it_is(make, ids, body):
    answer = Sender(make(body="payload", inputs={ids["load"]: ["event"], ids["send"]: ["what"]})).send(body)
    found = overrides(answer)
    assert found.keys() == set(ids.values())
    assert found[ids["load"]] == {"inputs": {"event": json.loads(body)}}


@pytest.mark.parametrize("use", ["payload", "inputs"])
def test_without_a_body_the_declared_inputs_stay(make, ids, use):
    assert overrides(Sender(make(body=use, inputs={ids["load"]: ["event"]})).send()) == {}


def test_fields_set_the_inputs_with_their_names(make, ids):
    allowed = {ids["load"]: ["branch", "day"], ids["send"]: ["day"]}
    answer = Sender(make(body="inputs", inputs=allowed)).send(b'{"day": 3}')
    assert overrides(answer) == {ids["load"]: {"inputs": {"day": 3}}, ids["send"]: {"inputs": {"day": 3}}}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"brunch": 1}', "unknown_field"),
        (b'{"inputs": {"x": 1}}', "unknown_field"),
        (b"[]", "invalid_type"),
        (b"1", "invalid_type"),
    ],
)
def test_other_fields_are_refused(make, ids, body, code):
    answer = Sender(make(body="inputs", inputs={ids["load"]: ["branch"]})).send(body)
    assert refusal(answer) == (400, code)
    assert not Run.objects.exists()


def test_a_wrong_field_is_told_with_what_is_meant(make, ids):
    answer = Sender(make(body="inputs", inputs={ids["load"]: ["branch"]})).send(b'{"brunch": 1}')
    assert "did you mean 'branch'?" in answer.json()["error"]["message"]


def test_too_much_for_one_input_is_refused(make, ids):
    answer = Sender(make(body="payload", inputs={ids["load"]: ["event"]})).send(b'"' + b"x" * 300_000 + b'"')
    assert refusal(answer) == (400, "too_large")


def test_a_task_that_is_gone_is_left_out(tree, make, ids):
    trigger = make(body="inputs", inputs={ids["load"]: ["branch"], ids["send"]: ["day"]})
    Task.objects.get(pk=ids["send"]).dependencies.all().delete()
    Task.objects.filter(pk=ids["send"]).delete()
    sender = Sender(trigger)
    assert refusal(sender.send(b'{"day": 1}')) == (400, "unknown_field")
    assert overrides(sender.send(b'{"branch": "x"}')) == {ids["load"]: {"inputs": {"branch": "x"}}}


def test_the_domain_alone():
    with pytest.raises(Invalid, match="nothing any more"):
        overrides_of("inputs", {}, {"a": 1})
    assert overrides_of("payload", {"t": ["p"]}, None) == {}
    assert overrides_of("inputs", {"t": ["p"]}, {}) == {}
