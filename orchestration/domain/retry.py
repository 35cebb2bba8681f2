"""How long a task waits before its next attempt."""

from __future__ import annotations

from typing import Any

DEFAULT_BASE_S = 1.0
DEFAULT_CAP_S = 300.0
JITTER = 0.25  # part of the delay, in both directions: many tasks that failed together do not return together


def delay_s(backoff: dict[str, Any], try_number: int, dice: float) -> float:
    """Seconds to wait after the failed try *try_number* (1, 2, ...).

    *backoff*: {strategy: fixed | linear | exponential, base_s, cap_s}, exponential from 1 s to 300 s where not given.
    *dice*: a random number 0.0..1.0 that spreads the delay by 25 % in both directions.
    """
    base = float(backoff.get("base_s", DEFAULT_BASE_S))
    cap = float(backoff.get("cap_s", DEFAULT_CAP_S))
    strategy = backoff.get("strategy", "exponential")
    if strategy == "fixed":
        delay = base
    elif strategy == "linear":
        delay = base * try_number
    else:
        delay = base * 2.0 ** min(try_number - 1, 60)
    return min(cap, delay * (1.0 - JITTER + 2.0 * JITTER * dice))
