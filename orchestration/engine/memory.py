"""The garbage collector's manners in a process that runs the engine."""

from __future__ import annotations

import gc

YOUNG = 20_000  # new objects before the young ones are looked at; the default looks after every few tasks
OLD = (20, 50)


def calm_collector() -> None:
    """Look at garbage less often, and never again at what was made by importing.

    A run keeps a few objects per task for as long as it lives; the collector's defaults walk all of them over and
    over while tasks come and go, a tenth of the engine's time with 10,000 tasks. Cycles are still found, only later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *OLD)
