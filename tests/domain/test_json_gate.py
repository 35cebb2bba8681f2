"""The JSON gate: what passes comes back the same, everything else is named with its place."""

import json
import time
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.domain.errors import Invalid
from orchestration.domain.json_gate import check_json, parse_json, safe_text, text_problem

LIMIT = 1024 * 1024
good_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
good_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | good_text,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(good_text, inner, max_size=5),
    max_leaves=20,
)


def refusal(call, *args, **kwargs):
    with pytest.raises(Invalid) as caught:
        call(*args, **kwargs)
    return caught.value.problems[0]


@given(good_values)
def test_what_passes_comes_back_the_same(value):
    text = check_json(value, max_bytes=LIMIT)
    assert parse_json(text, max_bytes=LIMIT) == value
    assert parse_json(text.encode(), max_bytes=LIMIT) == value
    compact = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))
    assert compact(json.loads(text)) == compact(value)  # keys in their order


@given(
    st.recursive(
        st.text() | st.floats() | st.integers(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)
    )
)
def test_anything_is_either_storable_or_refused(value):
    refused = None
    try:
        text = check_json(value, max_bytes=LIMIT)
    except Invalid as error:
        refused = error
    if refused is None:
        assert parse_json(text.encode(), max_bytes=LIMIT) == value
    else:
        assert refused.problems[0].code in {"invalid_character", "invalid_json"}
        str(refused).encode()


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        (b'{"a":1}garbage', "invalid_json", "unexpected data after JSON"),
        (b'{"a":"\xff\xfe"}', "invalid_json", "not UTF-8"),
        (b'\xef\xbb\xbf{"a":1}', "invalid_json", "unexpected byte order mark"),
        (b'{"name":"a","name":"b"}', "duplicate_key", "key 'name' appears twice"),
        (b'{"k":NaN}', "invalid_json", "NaN and Infinity are not JSON"),
        (b'{"k":-Infinity}', "invalid_json", "NaN and Infinity are not JSON"),
        (b'{"k":1e999}', "invalid_json", "number too large"),
        (b'{"k":9223372036854775808}', "invalid_json", "64 bits"),
        (b'{"k":' + b"9" * 5000 + b"}", "invalid_json", "64 bits"),
        (b'{"k":"a\\u0000b"}', "invalid_character", "k: null characters are not allowed"),
        (b'{"name":"\\ud800"}', "invalid_character", "name: surrogate characters are not allowed"),
        ('{"name":"\ud800"}', "invalid_character", "surrogate characters are not allowed"),
        (b'{"\\udfff":1}', "invalid_character", "key: surrogate"),
        (b'{"a":"\x01"}', "invalid_json", "control character"),
        (b"", "invalid_json", "Expecting value"),
        (b'{"x":' + b"[" * 64 + b"]" * 64 + b"}", "json_too_deep", "deeper than 64 levels"),
        (b'"' + b"x" * 200 + b'"', "body_too_large", "request larger than 100 bytes"),
    ],
)
def test_bad_text_is_refused_with_a_reason(raw, code, words):
    problem = refusal(parse_json, raw, max_bytes=100 if code == "body_too_large" else LIMIT)
    assert problem.code == code
    assert words in str(problem)


def test_a_hundred_thousand_brackets_are_refused_fast():
    started = time.process_time()
    problem = refusal(parse_json, b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", max_bytes=LIMIT)
    assert problem.code == "json_too_deep"
    assert time.process_time() - started < 1


@pytest.mark.parametrize("raw", [b'{"x":' + b"[" * 63 + b"]" * 63 + b"}", json.dumps({"k": "[" * 500}).encode()])
def test_depth_64_and_brackets_in_strings_pass(raw):
    assert parse_json(raw, max_bytes=LIMIT) == json.loads(raw)


def test_an_escaped_pair_and_a_literal_backslash_pass():
    assert parse_json(b'{"a":"\\ud83d\\ude00 \\\\u0000"}', max_bytes=LIMIT) == {"a": "😀 \\u0000"}
    assert check_json({"a": "\\u0000", "b": "9" * 30}, max_bytes=LIMIT)
    assert parse_json(b"9007199254740993", max_bytes=LIMIT) == 2**53 + 1


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


def circular():
    value = {}
    value["self"] = [value]
    return value


def doubling():
    value = []
    for _ in range(60):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        ({"a": [1, 2, 3, {1}]}, "invalid_json", "$.a[3]: set is not a JSON type"),
        ({"a": {"b": object()}}, "invalid_json", "$.a.b: object is not a JSON type"),
        ({"a": b"x"}, "invalid_json", "bytes is not a JSON type"),
        ({"x": float("nan")}, "invalid_json", "$.x: nan is not JSON"),
        ([float("inf")], "invalid_json", "$[0]: inf is not JSON"),
        ({1: "a"}, "invalid_json", "$: keys must be text, not int 1"),
        ({"a": {None: 1}}, "invalid_json", "$.a: keys must be text, not NoneType"),
        ({True: 1}, "invalid_json", "keys must be text, not bool True"),
        ({(1, 2): 1}, "invalid_json", "keys must be text, not tuple"),
        ({"a": 2**63}, "invalid_json", "$.a: integers must fit into 64 bits"),
        ({"a": 10**5000}, "invalid_json", "$.a: integers must fit into 64 bits"),
        ({"a": "x\0"}, "invalid_character", "$.a: null characters"),
        ({"a": "\ud800"}, "invalid_character", "$.a: surrogate characters"),
        ({"\0": 1}, "invalid_character", "$: key: null characters"),
        (nested(65), "json_too_deep", "deeper than 64"),
        (nested(5000), "json_too_deep", "deeper than 64"),
        (circular(), "json_too_deep", "contains itself"),
        (doubling(), "too_large", "larger than 1 MiB"),
        (["x" * LIMIT] * 1000, "too_large", "larger than 1 MiB"),
        ("é" * (LIMIT // 2), "too_large", "larger than 1 MiB"),
    ],
)
def test_bad_values_are_refused_with_their_place(value, code, words):
    problem = refusal(check_json, value, max_bytes=LIMIT)
    assert problem.code == code
    assert words in str(problem)


def test_a_given_path_replaces_the_dollar_sign():
    assert refusal(check_json, {"k": "\0"}, path="inputs", max_bytes=LIMIT).path == "inputs.k"
    assert refusal(check_json, "x" * 11, path="inputs", max_bytes=10).path == "inputs"


def test_tuples_become_arrays_and_the_limit_is_exact():
    assert check_json((1, "a"), max_bytes=LIMIT) == '[1,"a"]'
    assert check_json(nested(64), max_bytes=LIMIT)
    assert check_json("x" * 98, max_bytes=100) == '"' + "x" * 98 + '"'
    assert refusal(check_json, "x" * 99, max_bytes=100).code == "too_large"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("   ", "blank", "name may not be blank"),
        ("", "blank", "name may not be blank"),
        ("\u200b\u2060\ufeff", "blank", "name has no visible character"),
        ("\u3164", "blank", "name has no visible character"),
        ("a\0b", "invalid_character", "null characters are not allowed"),
        ("\ud800", "invalid_character", "surrogate characters are not allowed"),
        ("a\u202egnp.exe", "invalid_character", "bidirectional control characters are not allowed"),
        ("a\x1b[31mred\x07", "invalid_character", "control characters are not allowed"),
        ("ok\n2026 ERROR", "invalid_character", "line breaks are not allowed"),
        ("a\u2028b", "invalid_character", "line breaks are not allowed"),
        ({"$ne": 1}, "invalid_type", "name must be a string"),
        (123, "invalid_type", "name must be a string"),
        ("x" * 256, "too_long", "name is longer than 255 characters"),
    ],
)
def test_bad_names_are_refused(text, code, message):
    problem = text_problem(text, max_length=255, field="tasks[0].name")
    assert problem is not None
    assert (problem.path, problem.code, problem.message) == ("tasks[0].name", code, message)


@pytest.mark.parametrize(
    "text", ["a", "😀" * 200, "<script>alert(1)</script>", "{{7*7}}", "שלום", "e\u0301", "x" * 255, "👨‍👩‍👧"]
)
def test_good_names_pass(text):
    assert text_problem(text, max_length=255, field="name") is None


def test_several_lines_pass_where_they_are_wanted():
    assert text_problem("a\r\n\tb", max_length=255, field="reason", single_line=False) is None
    assert text_problem("a\x1b", max_length=255, field="reason", single_line=False).code == "invalid_character"


@given(st.text())
def test_safe_text_can_always_be_stored(text):
    assert "\0" not in safe_text(text)
    assert len(safe_text(text, 10).encode()) <= 40
