"""What differs between two runs, task by task, and where they first went different ways."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.domain.explain.facts import quoted
from orchestration.domain.story import duration_words
from orchestration.domain.words import gettext, gettext_noop, ngettext

NOISE_SHARE = 0.2  # a duration that differs by no more than the larger of these two has not changed
NOISE_S = 0.2
PLAIN = 64  # characters up to which a fingerprint is the value itself


@dataclass(frozen=True, slots=True)
class RunTask:
    """One task in one run. Values are fingerprints: results may be large."""

    key: str  # what pairs it with the other run's task: its id, or a name in another tree
    id: str
    name: str
    status: str
    position: int = 0
    inputs: Mapping[str, str] = field(default_factory=dict)  # key -> fingerprint
    result: str | None = None  # fingerprint; None = no result
    error: str | None = None
    started_s: float | None = None  # after the start of the run; None = did not start
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class TaskDiff:
    """What is different about one task; empty fields are equal."""

    key: str
    name: str
    id_a: str
    id_b: str
    status: tuple[str, str] | None = None
    inputs_added: tuple[str, ...] = ()
    inputs_removed: tuple[str, ...] = ()
    inputs_changed: tuple[str, ...] = ()
    result_changed: bool = False
    error_changed: bool = False
    duration_s: tuple[float, float] | None = None  # only beyond the noise

    @property
    def inputs_differ(self) -> bool:
        return bool(self.inputs_added or self.inputs_removed or self.inputs_changed)

    @property
    def substantial(self) -> bool:
        """Whether more than the duration differs."""
        return bool(self.status or self.inputs_differ or self.result_changed or self.error_changed)


@dataclass(frozen=True, slots=True)
class Comparison:
    differences: list[TaskDiff]  # in the order in which run b started the tasks
    only_a: list[RunTask]
    only_b: list[RunTask]
    moved: list[str]  # keys of tasks that started at another place in the order
    first: TaskDiff | None  # where run b first went another way
    same: int  # tasks of both runs without a difference
    summary: str


def fingerprint(value: Any) -> str:
    """Equal for equal JSON values only: the canonical text, or its digest where that is long."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    if len(text) <= PLAIN:
        return text
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def compare_runs(run_a: Iterable[RunTask], run_b: Iterable[RunTask]) -> Comparison:
    """How run b differs from run a. O(n log n)."""
    a, b = {t.key: t for t in run_a}, {t.key: t for t in run_b}
    common = sorted((key for key in b if key in a), key=lambda key: _start(b[key]))
    found = [diff for key in common if (diff := _diff(a[key], b[key])) is not None]
    only_a = sorted((t for key, t in a.items() if key not in b), key=lambda t: t.position)
    only_b = sorted((t for key, t in b.items() if key not in a), key=lambda t: t.position)
    first = next((d for d in found if d.substantial), next(iter(found), None))
    return Comparison(
        differences=found,
        only_a=only_a,
        only_b=only_b,
        moved=_moved(a, b, common),
        first=first,
        same=len(common) - len(found),
        summary=_summary(found, len(common), only_a, only_b, first),
    )


def _start(task: RunTask) -> tuple[bool, float, int, str]:
    return (task.started_s is None, task.started_s or 0.0, task.position, task.key)


def _diff(a: RunTask, b: RunTask) -> TaskDiff | None:
    diff = TaskDiff(
        key=b.key,
        name=b.name,
        id_a=a.id,
        id_b=b.id,
        status=(a.status, b.status) if a.status != b.status else None,
        inputs_added=tuple(sorted(b.inputs.keys() - a.inputs.keys())),
        inputs_removed=tuple(sorted(a.inputs.keys() - b.inputs.keys())),
        inputs_changed=tuple(sorted(k for k in a.inputs.keys() & b.inputs.keys() if a.inputs[k] != b.inputs[k])),
        result_changed=a.result != b.result,
        error_changed=a.error != b.error,
        duration_s=_durations(a.duration_s, b.duration_s),
    )
    return diff if diff.substantial or diff.duration_s else None


def _durations(a: float | None, b: float | None) -> tuple[float, float] | None:
    if a is None or b is None or abs(a - b) <= max(NOISE_SHARE * a, NOISE_S):
        return None
    return (a, b)


def _moved(a: Mapping[str, RunTask], b: Mapping[str, RunTask], common: list[str]) -> list[str]:
    """Common tasks that are not in the longest sequence which both runs started in the same order."""
    started = [key for key in common if a[key].started_s is not None and b[key].started_s is not None]
    place = {key: index for index, key in enumerate(sorted(started, key=lambda k: _start(a[k])))}
    ends: list[int] = []  # ends[n]: the smallest place at which an increasing sequence of n + 1 ends
    at: list[str] = []
    before: dict[str, str | None] = {}
    for key in started:
        length = bisect_left(ends, place[key])
        before[key] = at[length - 1] if length else None
        ends[length : length + 1] = [place[key]]
        at[length : length + 1] = [key]
    kept, here = set(), at[-1] if at else None
    while here is not None:
        kept.add(here)
        here = before[here]
    return [key for key in started if key not in kept]


_COUNTED: tuple[Callable[[int], str], ...] = (
    lambda n: ngettext("%(n)s task ended differently", "%(n)s tasks ended differently", n),
    lambda n: ngettext("%(n)s task had other inputs", "%(n)s tasks had other inputs", n),
    lambda n: ngettext("%(n)s task gave another result", "%(n)s tasks gave another result", n),
    lambda n: ngettext("%(n)s task failed with another message", "%(n)s tasks failed with another message", n),
    lambda n: ngettext("%(n)s task took clearly longer or shorter", "%(n)s tasks took clearly longer or shorter", n),
    lambda n: ngettext("%(n)s task only in the first run", "%(n)s tasks only in the first run", n),
    lambda n: ngettext("%(n)s task only in the second run", "%(n)s tasks only in the second run", n),
)


def _summary(
    found: list[TaskDiff], common: int, only_a: list[RunTask], only_b: list[RunTask], first: TaskDiff | None
) -> str:
    counts = (
        sum(d.status is not None for d in found),
        sum(d.inputs_differ for d in found),
        sum(d.result_changed and d.status is None for d in found),
        sum(d.error_changed and d.status is None for d in found),
        sum(d.duration_s is not None for d in found),
        len(only_a),
        len(only_b),
    )
    parts = [words(n) % {"n": f"{n:,}"} for words, n in zip(_COUNTED, counts, strict=True) if n]
    if not parts:
        text = ngettext("No differences in %(n)s task.", "No differences in %(n)s tasks.", common)
        return text % {"n": f"{common:,}"}
    if first is None:
        return f"{'; '.join(parts)}."
    return gettext("%(parts)s. First difference: %(where)s.") % {"parts": "; ".join(parts), "where": _where(first)}


_STATES = {
    "blocked": gettext_noop("blocked"),
    "cancelled": gettext_noop("cancelled"),
    "completed": gettext_noop("completed"),
    "failed": gettext_noop("failed"),
    "in_progress": gettext_noop("in_progress"),
    "pending": gettext_noop("pending"),
}


def _where(diff: TaskDiff) -> str:
    name = quoted(diff.name)
    if diff.status:
        before, after = (gettext(_STATES[state]) if state in _STATES else state for state in diff.status)
        text = gettext("%(name)s ended %(after)s instead of %(before)s")
        return text % {"name": name, "after": after, "before": before}
    if diff.inputs_differ:
        keys = (*diff.inputs_changed, *diff.inputs_added, *diff.inputs_removed)
        listed = f"{', '.join(quoted(key) for key in keys[:3])}{', …' if len(keys) > 3 else ''}"
        return gettext("%(name)s had other inputs (%(keys)s)") % {"name": name, "keys": listed}
    if diff.result_changed:
        return gettext("%(name)s gave another result") % {"name": name}
    if diff.error_changed:
        return gettext("%(name)s failed with another message") % {"name": name}
    a, b = diff.duration_s or (0.0, 0.0)
    text = gettext("%(name)s took %(after)s instead of %(before)s")
    return text % {"name": name, "after": duration_words(b), "before": duration_words(a)}
