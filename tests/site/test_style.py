"""The style sheet that pages load holds all that they use of the vendored one."""

from __future__ import annotations

import pytest

from tests import style_subset
from tests.style_subset import matches, parse, split, subset, write

SHEET = """@charset "UTF-8";/* head */
:root{--used:1px;--through:var(--used);--idle:2px}
*,::after{box-sizing:border-box}
.card,.btn:not(.card)>i{margin:var(--through)}
.btn{color:red;background:url("data:image/svg+xml;a{b},c")}
@media (min-width:1px){.card{top:0}.btn:is(.card,.on){top:1px}}
@media print{.card{top:0}}
@keyframes spin{to{rotate:1turn}}@keyframes idle{to{rotate:0turn}}
"""


def test_the_subset_is_of_today():
    assert style_subset.SUBSET.read_text() == style_subset.current(), "run `python3 -m tests.style_subset`"


def test_only_what_is_used_stays():
    kept = subset(SHEET, {"btn", "on"}, ".mine{animation:spin 1s}")
    assert write(parse(kept)) == kept
    assert ".btn:not(.card)>i{margin:var(--through)}" in kept
    assert '.btn{color:red;background:url("data:image/svg+xml;a{b},c")}' in kept
    assert "@media (min-width:1px){\n.btn:is(.card,.on){top:1px}\n}" in kept
    assert "--used:1px;--through:var(--used)" in kept
    assert "@keyframes spin" in kept
    for gone in ("--idle", ".card{", "print", "@keyframes idle"):
        assert gone not in kept


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("a:hover", True), (".btn", True), (".btn.card", False), (".btn:not(.card)", True), (".btn:has(.card)", False),
        (".btn:where(.card, .on) b", True), ("[class*=bt]", True), ("[class*=zz]", False), ("[data-bs-toggle]", False),
        ("[data-bs-theme=dark] .btn", True),
    ],
)  # fmt: skip
def test_a_selector_fits_when_pages_may_hold_what_it_selects(selector, fits):
    assert matches(selector, {"btn", "on"}) is fits


def test_lists_are_split_outside_of_brackets_and_texts():
    assert split('a:is(b,c),[x="1,2"],d', ",") == ["a:is(b,c)", '[x="1,2"]', "d"]
