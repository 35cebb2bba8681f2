"""The timeline of a row: waiting for a slot, each try, and the reach of what is under a parent, on the run's scale."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orchestration.domain.states import Display
from orchestration.domain.story import duration_words
from orchestration.models import Run
from orchestration.selectors.run_rows import TaskRow

WIDE = 1000.0  # units from the start of a run to its end
THIN = 4.0  # units that a bar has at least
SHORT = 0.003  # part of the run that is too short a wait to be drawn


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time; the page's script moves it while the run goes on."""

    kind: str  # class of the element: queue, reach, span, or a state
    start: str  # seconds since 1970
    end: str  # the same; "" while it goes on
    part: str  # share of it that is drawn, 0..1
    x: str
    width: str
    path: str = ""  # of a bracket


def bars_of(run: Run, row: TaskRow, *, key: str) -> tuple[Bar, ...]:
    """What is drawn for *row*, whose state has the glyph *key*; what stands behind first."""
    scale = _Scale(run)
    bars = [scale.bracket(row.reach.start, row.reach.end)] if row.reach else []
    if row.started_at is None or row.reused or (row.folds and not row.executor):
        return tuple(bars)
    first = row.tries[0][0] if row.tries else row.started_at
    if row.could_start is not None and scale.part(row.could_start, first) > SHORT:
        bars.append(scale.bar("queue", row.could_start, first))
    bars += [scale.bar(f"try {status}", start, end or start) for start, end, status in row.tries[:-1]]
    if row.completed_at:
        return (*bars, scale.bar(key, row.started_at, row.completed_at))
    return (*bars, scale.bar(f"span {key}", row.started_at, None), scale.bar(key, row.started_at, None, row.progress))


def bars_words(row: TaskRow) -> str:
    """The same for those who point at it."""
    if row.started_at is None or row.reused:
        return ""
    first = row.tries[0][0] if row.tries else row.started_at
    waited = max(0.0, (first - row.could_start).total_seconds()) if row.could_start else 0.0
    parts = [_("waited %(time)s") % {"time": duration_words(waited)}] if waited >= 0.1 else []
    if row.state not in {Display.RUNNING, Display.STOPPING} and row.completed_at:
        took = duration_words((row.completed_at - row.started_at).total_seconds())
        parts.append(_("ran %(time)s") % {"time": took})
    if len(row.tries) > 1:
        parts.append(ngettext("%(n)d attempt", "%(n)d attempts", len(row.tries)) % {"n": len(row.tries)})
    return ", ".join(parts)


class _Scale:
    """From times to places."""

    def __init__(self, run: Run) -> None:
        self._start = run.started_at
        self._now = run.completed_at or timezone.now()
        self._total_s = max(0.001, (self._now - self._start).total_seconds())

    def part(self, start: datetime, end: datetime) -> float:
        return (end - start).total_seconds() / self._total_s

    def place(self, start: datetime, end: datetime | None) -> tuple[float, float]:
        x = min(WIDE - THIN, max(0.0, WIDE * self.part(self._start, start)))
        return x, min(WIDE - x, max(THIN, WIDE * self.part(start, end or self._now)))

    def bar(self, kind: str, start: datetime, end: datetime | None, part: float = 1.0) -> Bar:
        x, width = self.place(start, end)
        return Bar(kind, _stamp(start), _stamp(end), f"{part:.3f}", f"{x:.1f}", f"{width * part:.1f}")

    def bracket(self, start: datetime, end: datetime | None) -> Bar:
        x, width = self.place(start, end)
        path = f"M{x:.1f} 7V1H{x + width:.1f}V7"
        return Bar("reach", _stamp(start), _stamp(end), "1.000", f"{x:.1f}", f"{width:.1f}", path)


def _stamp(at: datetime | None) -> str:
    return f"{at.timestamp():.3f}" if at else ""
