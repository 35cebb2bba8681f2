"""The four shapes that are measured, and what their results tell.

Every task does nothing but note when it began and ended, so order and latency come from what was stored.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from orchestration.domain.errors import Invalid, Problem

LAYERS = 20
DEPENDENCIES = 3  # of each task of W3 below its first layer
SEED = 42
CLOCK_S = 1e-4  # two clock readings nearer than this are not out of order
PERCENTILE = 0.95


@dataclass(frozen=True)
class Workload:
    """*waits_for*[i] are the numbers of the tasks that task i waits for; all of them are smaller than i."""

    name: str
    n: int
    waits_for: list[list[int]]

    @property
    def tasks(self) -> int:
        return len(self.waits_for)

    @property
    def edges(self) -> int:
        return sum(map(len, self.waits_for))

    @cached_property
    def layer_of(self) -> list[int]:
        """Of each task: the length of the longest way to it."""
        layers: list[int] = []
        for before in self.waits_for:
            layers.append(1 + max((layers[number] for number in before), default=-1))
        return layers

    def array(self, executor: str) -> list[dict[str, Any]]:
        """The tree to submit: task 0 is the root, all others lie under it (which orders nothing)."""
        return [
            {
                "id": f"t{number}",
                "name": f"t{number}",
                "executor": executor,
                "inputs": {"i": number},
                "dependencies": [{"id": f"t{other}"} for other in before],
                **({"parent_id": "t0"} if number else {}),
            }
            for number, before in enumerate(self.waits_for)
        ]


def fan_out(n: int) -> list[list[int]]:
    """One task, then n that wait for it."""
    return [[], *([0] for _ in range(n))]


def chain(n: int) -> list[list[int]]:
    """Each task waits for the one before."""
    return [[number - 1] if number else [] for number in range(n)]


def layered(n: int) -> list[list[int]]:
    """20 layers; each task waits for 3 random ones of the layer above, always the same for the same n."""
    width = max(1, n // LAYERS)
    chance = random.Random(SEED)  # noqa: S311  (repeatable on purpose)
    shape: list[list[int]] = [[] for _ in range(width)]
    for first in range(0, (LAYERS - 1) * width, width):
        above = range(first, first + width)
        shape += [sorted(chance.sample(above, min(DEPENDENCIES, width))) for _ in range(width)]
    return shape


def fan_in(n: int) -> list[list[int]]:
    """n tasks, then one that waits for all of them."""
    return [*([] for _ in range(n)), list(range(n))]


SHAPES: dict[str, Callable[[int], list[list[int]]]] = {"W1": fan_out, "W2": chain, "W3": layered, "W4": fan_in}
DEFAULT_N = {"W1": 1000, "W2": 500, "W3": 1000, "W4": 1000}


def workload(name: str, n: int) -> Workload:
    """That workload with n tasks, give or take one. Raises Invalid."""
    if name not in SHAPES:
        raise Invalid([Problem("workload", f"unknown workload: use one of {', '.join(SHAPES)}", "unknown_workload")])
    if n < 1:
        raise Invalid([Problem("n", "must be at least 1", "too_small")])
    return Workload(name, n, SHAPES[name](n))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the stored results of a workload say."""

    stored_ok: bool  # every task has its own result
    order_violations: int  # tasks that began before one of their dependencies had ended
    step_ms_median: float | None  # from the end of the last dependency to the start; None: nothing waits
    step_ms_p95: float | None


def judge(work: Workload, results: Mapping[int, Any]) -> Verdict:
    """*results*: task number -> what was read back for that task."""
    numbers = range(work.tasks)
    stored_ok = len(results) == work.tasks and all(_owned(results.get(number), number) for number in numbers)
    gaps = sorted(_gaps(work, results))
    return Verdict(
        stored_ok=stored_ok,
        order_violations=sum(gap < -CLOCK_S for gap in gaps),
        step_ms_median=round(median(gaps) * 1000, 3) if gaps else None,
        step_ms_p95=round(gaps[min(len(gaps) - 1, int(len(gaps) * PERCENTILE))] * 1000, 3) if gaps else None,
    )


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict on several trees of the same workload; steps as the median tree has them."""
    steps = [(v.step_ms_median, v.step_ms_p95) for v in verdicts if v.step_ms_median is not None]
    return Verdict(
        stored_ok=all(verdict.stored_ok for verdict in verdicts),
        order_violations=sum(verdict.order_violations for verdict in verdicts),
        step_ms_median=sorted(steps)[len(steps) // 2][0] if steps else None,
        step_ms_p95=sorted(steps)[len(steps) // 2][1] if steps else None,
    )


def _owned(result: Any, number: int) -> bool:
    return isinstance(result, dict) and result.get("i") == number and "s" in result and "e" in result


def _gaps(work: Workload, results: Mapping[int, Any]) -> Iterator[float]:
    for number, before in enumerate(work.waits_for):
        if before and all(_owned(results.get(other), other) for other in (number, *before)):
            yield results[number]["s"] - max(results[other]["e"] for other in before)
