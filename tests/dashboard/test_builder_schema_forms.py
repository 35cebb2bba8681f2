"""Schema -> form -> value."""

from __future__ import annotations

import pytest

from dashboard.schema_forms import schema_form
from orchestration.executors.registry import all_executors, get


def schema(**properties):
    return {"type": "object", "properties": properties}


def filled(found, old=None, *, enforce=False, **texts):
    return schema_form(found, old=old, data={f"in-{key}": text for key, text in texts.items()}, enforce=enforce)


@pytest.mark.parametrize(
    ("part", "text", "value"),
    [
        ({"type": "string"}, "a b", "a b"),
        ({"type": "string"}, "<b>&", "<b>&"),
        ({"type": ["string", "null"]}, "x", "x"),
        ({"type": "string", "title": "Body"}, "a\r\nb", "a\nb"),
        ({"type": "integer"}, " 3 ", 3),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "number"}, "2", 2),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean", "default": True}, "false", False),
        ({"enum": ["a", "b"]}, '"b"', "b"),
        ({"enum": [1, 2, "1"]}, "1", 1),
        ({"type": "array", "items": {"type": "string"}}, "a\n\nb\n", ["a", "b"]),
        ({"type": "array", "items": {"type": "integer"}}, "1\n2", [1, 2]),
        ({"type": "object"}, '{"a": [1]}', {"a": [1]}),
        ({}, "null", None),
        ({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}, "a@b.c", "a@b.c"),
        ({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}, "a\nb", ["a", "b"]),
    ],
)
def test_a_text_becomes_the_value_of_its_kind(part, text, value):
    form = filled(schema(x=part), x=text)
    assert form.is_valid(), form.errors
    assert form.value == {"x": value}
    shown = schema_form(schema(x=part), old=form.value)["x"].value()
    back = filled(schema(x=part), form.value, x=shown)
    assert back.is_valid()
    assert back.value == {"x": value}


@pytest.mark.parametrize(
    ("part", "text", "told"),
    [
        ({"type": "integer"}, "1.5", "whole number"),
        ({"type": "integer"}, "true", "whole number"),
        ({"type": "number"}, "NaN", "number"),
        ({"type": "number"}, "9" * 50, "number"),
        ({"type": "boolean"}, "maybe", "choose"),
        ({"enum": ["a"]}, '"z"', "choose"),
        ({}, "{a", "JSON"),
        ({"type": "array", "items": {"type": "integer"}}, "1\nx", "whole number"),
        ({"type": "integer", "minimum": 5}, "3", "5"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(part, text, told):
    form = filled(schema(x=part), x=text)
    assert not form.is_valid()
    assert told in " ".join(form.errors["x"])


def test_empty_fields_are_left_out_and_other_keys_kept():
    form = filled(schema(a={"type": "string"}, b={"type": "integer"}), {"a": "old", "extra": [1]}, a="", b="2")
    assert form.is_valid()
    assert form.value == {"extra": [1], "b": 2}


def test_nested_objects_are_groups_to_depth_two_and_json_below():
    deep = {"type": "object", "properties": {"z": {"type": "integer"}}}
    for key in ("c", "b", "a"):
        deep = {"type": "object", "properties": {key: deep}}
    form = schema_form(deep)
    assert list(form.paths.values()) == [("a", "b", "c")]
    names = {"in-a.b.c": '{"z": 1}'}
    assert (form := schema_form(deep, data=names)).is_valid()
    assert form.value == {"a": {"b": {"c": {"z": 1}}}}
    assert [group.title for group in form.groups()] == ["B"]


def test_an_error_inside_a_group_is_told_at_its_field():
    part = {"type": "object", "properties": {"port": {"type": "integer", "maximum": 9}}, "required": ["port"]}
    form = schema_form(schema(server=part), data={"in-server.port": "10"})
    assert not form.is_valid()
    assert list(form.errors) == ["server.port"]


def test_required_is_enforced_only_when_asked():
    found = schema(x={"type": "string"}) | {"required": ["x"]}
    assert filled(found, x="").is_valid()
    strict = filled(found, enforce=True, x="")
    assert strict.errors == {"x": ["is required"]}
    assert strict.fields["x"].needed


def test_a_value_that_does_not_fit_its_widget_is_shown_as_json_and_survives():
    old = {"x": {"a": 1}}
    form = schema_form(schema(x={"type": "string"}), old=old)
    assert '{"a": 1}'.replace('"', "&quot;") in str(form["x"])


def test_hostile_keys_and_titles_are_text():
    hostile = '"><script>alert(1)</script>'
    html = str(schema_form(schema(**{hostile: {"type": "string", "title": hostile, "default": hostile}})))
    assert "<script>" not in html


@pytest.mark.parametrize("executor", [e.id for e in all_executors()])
def test_every_executor_has_a_form(executor):
    form = schema_form(get(executor).input_schema, data={}, enforce=False)
    assert form.is_valid()
    assert form.value == {}
    assert str(form.as_div()) is not None
