"""Where a secret may be named, and that it is hidden in every form and even where it was cut."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.domain.secrets import MASK, Masker, filled, names_in, reference_problems
from orchestration.domain.work import Ending, Outcome

VALUE = 'CANARY-3f9d2c/"+ü&'
OTHERS = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)


def test_references_are_objects_with_one_key():
    inputs = {"a": {"$secret": "one"}, "b": [{"c": {"$secret": "two"}}, "$secret"], "d": 5}
    assert names_in(inputs) == {"one", "two"}
    assert reference_problems(inputs, "inputs") == []
    assert filled(inputs, {"one": "1111", "two": "2222"}) == {"a": "1111", "b": [{"c": "2222"}, "$secret"], "d": 5}
    assert inputs["a"] == {"$secret": "one"}


@pytest.mark.parametrize("wrong", [
    {"$secret": ""}, {"$secret": "a b"}, {"$secret": 5}, {"$secret": "a", "x": 1}, {"$secret": "a" * 101},
    {"$secret": "a\n"}, {"$secret": {"$secret": "a"}},
])  # fmt: skip
def test_what_only_looks_like_one_is_refused(wrong):
    problems = reference_problems({"list": [wrong]}, "inputs")
    assert [(p.path, p.code) for p in problems] == [("inputs.list[0]", "invalid_secret")]
    assert names_in({"list": [wrong]}) == set()


@pytest.mark.parametrize("form", [
    str, lambda v: json.dumps(v)[1:-1], lambda v: json.dumps(json.dumps(v)), repr, urllib.parse.quote,
    lambda v: urllib.parse.quote(v, safe=""), urllib.parse.quote_plus, lambda v: v.encode().hex(),
    lambda v: urllib.parse.quote(v, safe="").replace("%C3%BC", "%c3%bc").replace("%2F", "%2f").replace("%22", "%22")
    .replace("%2B", "%2b"),
    lambda v: v.replace("&", "&amp;").replace('"', "&quot;"),
])  # fmt: skip
def test_every_form_is_hidden(form):
    assert Masker([VALUE]).text(f"before {form(VALUE)} after").count(MASK) == 1
    assert "3f9d2c" not in Masker([VALUE]).text(f"before {form(VALUE)} after")


@given(before=OTHERS, after=OTHERS)
def test_base64_is_hidden_whatever_stands_around_it(before, after):
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(f"{before}{VALUE}{after}".encode()).decode()
        shown = Masker([VALUE]).text(text)
        assert MASK in shown
        for piece in shown.split(MASK):
            assert len(piece) <= len(encode(f"{before}{after}".encode())) + 8


def test_what_is_left_of_a_cut_secret_is_hidden():
    masker = Masker([VALUE])
    assert masker.text(f"error: {VALUE[:9]}…") == f"error: {MASK}…"
    assert masker.text(f"… 17 bytes before this were dropped\n{VALUE[5:]} end") == (
        f"… 17 bytes before this were dropped\n{MASK} end"
    )
    assert masker.text(f"{VALUE[:7]}\n… 12 bytes left out …\n{VALUE[7:]}") == f"{MASK}\n… 12 bytes left out …\n{MASK}"


def test_lines_of_a_long_secret_are_hidden_one_by_one():
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhki\nG9w0BAQEFAASCBKcw\n-----END KEY-----\n"
    assert Masker([key]).text("line: G9w0BAQEFAASCBKcw.") == f"line: {MASK}."


def test_short_values_are_left_alone():
    """An empty one would be hidden between any two letters."""
    assert Masker(["", "abc"]).text("hello abc") == "hello abc"


def test_an_outcome_is_hidden_in_all_its_parts():
    result = json.dumps({VALUE: [VALUE, {"n": 12345678}], "fine": [1, 1.5, True, None]})
    parts = dict.fromkeys(("error", "error_code", "traceback", "log", "message"), f"x {VALUE} y")
    outcome = Masker([VALUE, "12345678"]).outcome(Outcome(1, "t", 1, Ending.COMPLETED, result=result, **parts))
    assert "CANARY" not in repr(outcome)
    assert json.loads(outcome.result) == {MASK: [MASK, {"n": MASK}], "fine": [1, 1.5, True, None]}
    assert (outcome.error, outcome.log) == (f"x {MASK} y",) * 2
