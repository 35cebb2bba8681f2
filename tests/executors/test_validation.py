"""Inputs against schemas: clear words, no network, and no schema that can hang the engine."""

import time
from types import SimpleNamespace

import pytest

from orchestration.domain.errors import InputError, Invalid
from orchestration.executors import registry
from orchestration.executors.patterns import PatternError, check_pattern, search
from orchestration.executors.validation import check_schema_document, validate_inputs


def having(schema):
    return SimpleNamespace(id=f"x{id(schema)}", input_schema=schema)


def properties(**found):
    return {"type": "object", "properties": found}


@pytest.mark.parametrize(
    ("schema", "inputs", "field", "words"),
    [
        ({"type": "object"}, [1], "inputs", "must be an object"),
        ({"type": "object", "required": ["url"]}, {}, "inputs", "'url' is missing"),
        (properties(n={"type": "integer"}), {"n": "5"}, "inputs.n", "must be a whole number, not text"),
        (properties(n={"type": ["string", "null"]}), {"n": True}, "inputs.n", "text or null, not true or false"),
        (properties(n={"items": {"minimum": 3}}), {"n": [4, 2]}, "inputs.n[1]", "must be at least 3"),
        (properties(n={"enum": ["a", "b"]}), {"n": "c"}, "inputs.n", "must be one of a, b"),
        (properties(n={"maxLength": 2}), {"n": "abc"}, "inputs.n", "must have at most 2 characters"),
        (properties(n={"pattern": "^a+$"}), {"n": "abc"}, "inputs.n", "does not match the pattern ^a+$"),
        (properties(n={"uniqueItems": True}), {"n": [{"a": 1}, {"a": 1}]}, "inputs.n", "same item twice"),
        (properties(a={}) | {"additionalProperties": False}, {"b": 1}, "inputs", "unknown: 'b'"),
        ({"patternProperties": {"^x": {"type": "string"}}}, {"xa": 1}, "inputs.xa", "must be text"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "minProperties": 1}, {}, "inputs", "at least 1 keys"),
    ],
)
def test_a_violation_names_the_field_and_the_remedy(schema, inputs, field, words):
    for call in ((having(schema), inputs), (having({}), inputs, schema)):
        with pytest.raises(InputError) as caught:
            validate_inputs(*call)
        assert caught.value.code == "invalid_inputs"
        if len(call) == 2 or isinstance(inputs, dict):
            assert caught.value.field == field
            assert words in str(caught.value)


def test_good_inputs_pass():
    validate_inputs(registry.get("http"), {"url": "https://a.test/", "method": "POST", "json": [1]})
    validate_inputs(registry.get("noop"), {"anything": 1}, {"type": "object", "required": ["anything"]})


@pytest.mark.parametrize("executor", registry.all_executors(), ids=lambda executor: executor.id)
def test_every_built_in_schema_is_a_good_document(executor):
    check_schema_document(executor.input_schema)
    check_schema_document(executor.output_schema)
    assert executor.description
    for field, schema in executor.input_schema.get("properties", {}).items():
        assert schema.get("title"), field


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (5, "must be an object"),
        ({"type": "objekt"}, "objekt"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "draft 2020-12 or draft-07"),
        ({"properties": {"a": {"$ref": "http://evil.test/schema"}}}, "never fetched"),
        ({"properties": {"a": {"pattern": "("}}}, "is not a 'regex'"),
        ({"pattern": r"(a)\1"}, "not supported"),
        ({"pattern": r"(?=a)"}, "not supported"),
        ({"pattern": "(?i)a"}, "not supported"),
        ({"pattern": "(a{1000}){1000}"}, "too complex"),
        ({"pattern": "a" * 501}, "longer than 500"),
        ({"patternProperties": {"a": {}}, "unevaluatedProperties": False}, "cannot be used together"),
    ],
)
def test_a_bad_schema_is_refused(schema, words):
    with pytest.raises(Invalid, match=words):
        check_schema_document(schema)


def test_a_remote_reference_is_never_fetched():
    with pytest.raises(InputError, match="refers to what is not there"):
        validate_inputs(having({}), {"a": 1}, {"properties": {"a": {"$ref": "http://127.0.0.1:1/s"}}})


def doubling_references():
    parts = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
    return {"$defs": parts | {"d60": {}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    ("schema", "inputs"),
    [
        (properties(a={"pattern": "^(a+)+$"}), {"a": "a" * 40 + "!"}),
        (properties(a={"pattern": "^(a|aa)*(a|aa)*$"}), {"a": "a" * 2000 + "!"}),
        (properties(a={"pattern": "a*a*a*a*a*b"}), {"a": "a" * 100_000}),
        ({"patternProperties": {"^(a+)+$": {"type": "string"}}, "additionalProperties": False}, {"a" * 40 + "!": 1}),
        ({"$ref": "#"}, {}),
        (doubling_references(), {}),
    ],
)
def test_no_schema_can_hang_the_engine(schema, inputs):
    started = time.process_time()
    with pytest.raises(InputError):
        validate_inputs(having({}), inputs, schema)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("^[^@ ]+@[^@ ]+\\.[a-z]{2,}$", ["a@b.de"], ["a@b", "a@@b.de", "a@b.de\n"]),
        ("^\\d{4}-\\d\\d$", ["2026-11"], ["2026-1", "x2026-11"]),
        ("cat|dog|bird", ["hotdog", "cat", "a bird"], ["do g"]),
        ("^(ab?c)*?$", ["", "ac", "abcac"], ["ab"]),
        ("\\bword\\b", ["a word."], ["swordfish"]),
        ("^.{2,3}$", ["ab", "abc"], ["a", "abcd", "a\n"]),
        ("^[a-c\\s_]+$", ["a b_c"], ["d", ""]),
        ("^(?:x|y(?:z))$", ["x", "yz"], ["y"]),
        ("^a{0,2}b\\W\\D\\S$", ["aab!xx", "b b0"[:2] + "bc"], ["aaab!xx"]),
    ],
)
def test_patterns_match_like_the_usual_ones(pattern, good, bad):
    check_pattern(pattern)
    assert [text for text in good if not search(pattern, text)] == []
    assert [text for text in bad if search(pattern, text)] == []


def test_a_text_too_long_for_its_pattern_is_refused():
    with pytest.raises(PatternError, match="too long"):
        search("a*a*a*b", "a" * 500_000)
