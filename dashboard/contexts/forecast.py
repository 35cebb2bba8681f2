"""What a run would do, before anybody presses Run."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext

from dashboard.contexts.common import query_of
from dashboard.contexts.plan import MODES, Choice
from dashboard.texts import counted
from orchestration.domain.story import duration_words
from orchestration.models import Tree
from orchestration.selectors.explain import DryRunReport

WAVES = 40
NAMED = 24  # tasks named per wave
BARS = 200  # tasks drawn on the time scale


@dataclass(frozen=True, slots=True)
class Named:
    name: str
    url: str
    critical: bool


@dataclass(frozen=True, slots=True)
class Wave:
    """What could start together."""

    number: int
    count: int
    tasks: tuple[Named, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A task on the expected time scale, of 1000."""

    name: str
    url: str
    x: str
    width: str
    critical: bool
    words: str


@dataclass(frozen=True, slots=True)
class ForecastView:
    duration: str
    critical: str
    peak: int
    slots: str
    unknown: str
    tasks: str
    waves: tuple[Wave, ...]
    waves_more: int
    path: tuple[Named, ...]
    bars: tuple[Bar, ...]
    bars_more: int
    blocked: tuple[Named, ...]
    blocked_more: int
    engine_alive: bool


def mode_choices(tree: Tree, mode: str, chosen: list[str]) -> tuple[Choice, ...]:
    """The modes that need no choice of tasks, and the asked one."""
    return tuple(
        Choice(m, str(word), str(hint), mode == m) for m, word, hint in MODES if m in {"failed", "all"} or m == mode
    )


def plan_url(tree: Tree, mode: str, chosen: list[str]) -> str:
    """The plan editor of the same run."""
    return f"/trees/{tree.pk}/start?" + "&".join([query_of(mode=mode), *(f"task={t}" for t in chosen)])


def forecast_view(report: DryRunReport) -> ForecastView:
    """*report* ready to be shown."""
    found = report.forecast
    critical = set(found.critical_path)

    def named(task_id: str) -> Named:
        return Named(report.names.get(task_id, ""), f"/tasks/{UUID(task_id)}", task_id in critical)

    waves = [
        Wave(number + 1, len(wave), tuple(map(named, wave[:NAMED])), max(0, len(wave) - NAMED))
        for number, wave in enumerate(found.waves[:WAVES])
    ]
    worked = [t for t in found.order if found.times[t][1] > found.times[t][0]]
    path = [t for t in found.critical_path if found.times.get(t, (0.0, 0.0))[1] > found.times.get(t, (0.0, 0.0))[0]]
    return ForecastView(
        duration=_about(found.total_s, unknown=found.unknown, works=len(worked)),
        critical=duration_words(found.critical_s),
        peak=found.peak,
        slots=(
            gettext("%(process)s process and %(asynchronous)s async slots")
            % {"process": report.slots.process, "asynchronous": report.slots.asynchronous}
        ),
        unknown=_unknown(found.unknown, found.assumed_s, len(worked)),
        tasks=counted(len(worked), "task"),
        waves=tuple(waves),
        waves_more=max(0, len(found.waves) - WAVES),
        path=tuple(map(named, path[:NAMED])),
        bars=tuple(_bar(t, report, t in critical) for t in worked[:BARS]),
        bars_more=max(0, len(worked) - BARS),
        blocked=tuple(map(named, found.blocked[:NAMED])),
        blocked_more=max(0, len(found.blocked) - NAMED),
        engine_alive=report.engine_alive,
    )


def _about(seconds: float, *, unknown: int, works: int) -> str:
    if works and unknown >= works:
        return gettext("not known yet")
    return gettext("about %(time)s") % {"time": duration_words(seconds)}


def _unknown(count: int, assumed: float, works: int) -> str:
    if not count:
        return gettext("Every task has a history: medians of its last completed attempts.")
    guess = gettext("each is counted with %(time)s") % {"time": duration_words(assumed)}
    if count >= works:
        return gettext("No task has ever completed, so nothing is known: %(guess)s.") % {"guess": guess}
    return gettext("%(count)s without history: %(guess)s, the median of the others.") % {
        "count": counted(count, "task"),
        "guess": guess,
    }


def _bar(task_id: str, report: DryRunReport, critical: bool) -> Bar:
    start, end = report.forecast.times[task_id]
    scale = 1000 / max(0.001, report.forecast.total_s)
    name = report.names.get(task_id, "")
    words = gettext("starts after %(time)s, takes %(time2)s") % {
        "time": duration_words(start),
        "time2": duration_words(end - start),
    }
    width = max(3.0, (end - start) * scale)
    return Bar(name, f"/tasks/{UUID(task_id)}", f"{start * scale:.1f}", f"{width:.1f}", critical, words)
