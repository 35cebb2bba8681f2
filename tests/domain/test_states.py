from __future__ import annotations

from itertools import product

import pytest

from orchestration.domain.errors import IllegalTransition
from orchestration.domain.states import TERMINAL, Display, Status, check_transition, display_state

P, R, C, F, X = "pending", "in_progress", "completed", "failed", "cancelled"
LEGAL = {(P, R), (P, X), (R, C), (R, F), (R, X), (R, P)}


@pytest.mark.parametrize(("current", "to"), list(product([P, R, C, F, X], repeat=2)))
def test_every_change_is_legal_or_refused_in_words(current, to):
    if (current, to) in LEGAL:
        check_transition(current, to)
        return
    with pytest.raises(IllegalTransition) as refused:
        check_transition(current, to)
    assert str(refused.value) == f"cannot go from '{current}' to '{to}'"
    assert refused.value.status == 409


def test_what_is_terminal_has_no_way_out():
    assert {C, F, X} == TERMINAL
    assert not any(current in TERMINAL for current, _ in LEGAL)


FLAGS = ("active", "blocked", "ready", "retrying", "stopping")


@pytest.mark.parametrize(
    ("status", "flags", "shown"),
    [
        (P, "", Display.IDLE),
        (P, "active", Display.WAITING),
        (P, "active ready", Display.READY),
        (P, "active retrying", Display.RETRYING),
        (P, "active blocked", Display.BLOCKED),
        (P, "blocked", Display.BLOCKED),
        (P, "ready", Display.IDLE),
        (R, "active", Display.RUNNING),
        (R, "active stopping", Display.STOPPING),
        (C, "", Display.COMPLETED),
        (F, "active", Display.FAILED),
        (X, "active blocked", Display.CANCELLED),
    ],
)
def test_what_a_page_shows(status, flags, shown):
    assert display_state(status, **{flag: flag in flags.split() for flag in FLAGS}) == shown


def test_every_combination_shows_something():
    for status, *values in product(Status, *[[False, True]] * len(FLAGS)):
        assert display_state(status, **dict(zip(FLAGS, values, strict=True))) in Display
