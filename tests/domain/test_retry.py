from __future__ import annotations

import pytest

from orchestration.domain.retry import delay_s


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        ({}, [1, 2, 4, 8]),
        ({"strategy": "fixed", "base_s": 3}, [3, 3, 3, 3]),
        ({"strategy": "linear", "base_s": 2}, [2, 4, 6, 8]),
        ({"strategy": "exponential", "base_s": 5, "cap_s": 15}, [5, 10, 15, 15]),
        ({"base_s": 0}, [0, 0, 0, 0]),
        ({"strategy": "linear", "base_s": 100}, [100, 200, 300, 300]),
    ],
)
def test_how_long_each_try_waits(backoff, delays):
    assert [delay_s(backoff, number, 0.5) for number in (1, 2, 3, 4)] == delays


def test_it_is_spread_by_a_quarter_in_both_directions():
    assert delay_s({"base_s": 8}, 1, 0.0) == 6
    assert delay_s({"base_s": 8}, 1, 1.0) == 10


def test_many_tries_do_not_overflow():
    assert delay_s({"cap_s": 60}, 100_000, 0.5) == 60
