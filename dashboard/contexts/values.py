"""What tasks got and gave in a run, and how two runs differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext

from dashboard.contexts.common import RunLine, State, run_line
from dashboard.texts import counted
from orchestration.domain.explain.compare import RunTask, TaskDiff
from orchestration.domain.explain.provenance import provenance_words
from orchestration.domain.states import Display, Status
from orchestration.domain.story import duration_words
from orchestration.models import Run
from orchestration.selectors.explain import ComparisonReport
from orchestration.selectors.run_feed import EXCERPT, Values, changed_values, names_in

SHOWN = 100  # tasks that differ, on a page
NAMED = 50  # tasks that are in one run only
VALUE = 160  # characters of a value in a comparison


@dataclass(frozen=True, slots=True)
class DataLine:
    """One task's inputs and result."""

    name: str
    url: str
    state: State
    inputs: str
    inputs_more: int  # characters left out
    origins: tuple[tuple[str, str], ...]  # key, where it came from in words
    result: str
    result_more: int
    error: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs: what it was, what it is."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class DiffLine:
    name: str
    url_a: str
    url_b: str
    first: bool
    before: State | None
    after: State | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class CompareView:
    a: RunLine
    b: RunLine
    summary: str
    same: int
    lines: tuple[DiffLine, ...]
    more: int
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    only_a_count: int
    only_b_count: int
    moved: int
    swap_url: str


def data_line(found: Values, run: Run, names: dict[str, str]) -> DataLine:
    """*found* ready to be shown; *names*: of the tasks that inputs come from, by 32 hex digits."""
    origin = found.provenance if isinstance(found.provenance, dict) else {}
    word = "running" if found.status == Status.IN_PROGRESS else found.status
    return DataLine(
        name=found.name,
        url=f"/tasks/{found.task_id}?run={run.pk}",
        state=State(word, word),
        inputs="" if found.inputs in {"", "{}"} else _pretty(found.inputs, found.inputs_length),
        inputs_more=max(0, found.inputs_length - EXCERPT),
        origins=tuple((o.key, o.words) for o in provenance_words(origin, names) if o.source != "declared"),
        result="" if found.result is None else _pretty(found.result, found.result_length),
        result_more=max(0, found.result_length - EXCERPT),
        error=found.error[:EXCERPT],
    )


def givers(values: list[Values]) -> set[UUID]:
    """The tasks that gave inputs to *values*."""
    found = set()
    for value in values:
        entries = value.provenance.values() if isinstance(value.provenance, dict) else ()
        for entry in entries:
            task = entry.get("task") if isinstance(entry, dict) else None
            if isinstance(task, str) and len(task.replace("-", "")) == 32:
                found.add(UUID(task))
    return found


def _pretty(text: str, length: int) -> str:
    if length > EXCERPT:
        return f"{text}…"
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def compare_view(report: ComparisonReport, now: Any) -> CompareView:
    """*report* ready to be shown. Three queries for the values that differ."""
    found, a, b = report.comparison, report.run_a, report.run_b
    listed = found.differences[:SHOWN]
    old = changed_values(a, [UUID(d.id_a) for d in listed])
    new = changed_values(b, [UUID(d.id_b) for d in listed])
    names = names_in({key for d in listed for key in (*d.inputs_changed, *d.inputs_added, *d.inputs_removed)})
    return CompareView(
        a=run_line(a, now),
        b=run_line(b, now),
        summary=found.summary,
        same=found.same,
        lines=tuple(_diff(d, report, old, new, names) for d in listed),
        more=len(found.differences) - len(listed),
        only_a=_names(found.only_a),
        only_b=_names(found.only_b),
        only_a_count=len(found.only_a),
        only_b_count=len(found.only_b),
        moved=len(found.moved),
        swap_url=f"/runs/{b.pk}/compare/{a.pk}",
    )


def _names(tasks: list[RunTask]) -> tuple[str, ...]:
    return tuple(task.name for task in tasks[:NAMED])


def _diff(
    diff: TaskDiff, report: ComparisonReport, old: dict[str, Any], new: dict[str, Any], names: dict[str, str]
) -> DiffLine:
    first = report.comparison.first
    before, after = diff.status or ("", "")
    return DiffLine(
        name=diff.name,
        url_a=f"/tasks/{UUID(diff.id_a)}?run={report.run_a.pk}",
        url_b=f"/tasks/{UUID(diff.id_b)}?run={report.run_b.pk}",
        first=first is not None and first.key == diff.key,
        before=_state(before),
        after=_state(after),
        changes=tuple(_changes(diff, old.get(diff.id_a, ({}, None)), new.get(diff.id_b, ({}, None)), names)),
    )


def _state(status: str) -> State | None:
    if not status:
        return None
    word = {"in_progress": "running", "idle": gettext("not run"), "pending": gettext("not run")}.get(status, status)
    key = word if word in set(Display) else Display.IDLE
    return State(key, word)


def _changes(diff: TaskDiff, old: Any, new: Any, names: dict[str, str]) -> list[Change]:
    found = []
    for key in (*diff.inputs_changed, *diff.inputs_added, *diff.inputs_removed):
        before = _short(old[0][key]) if key in old[0] else "(none)"
        after = _short(new[0][key]) if key in new[0] else "(none)"
        found.append(
            Change((gettext("input %(value)s") % {"value": names.get(key.replace("-", ""), key)}), before, after)
        )
    if diff.result_changed:
        found.append(Change("result", _cut(old[1] or "(none)"), _cut(new[1] or "(none)")))
    if diff.error_changed and not diff.status:
        found.append(Change("error", "", gettext("another message")))
    if diff.duration_s:
        found.append(Change("duration", *(duration_words(s) for s in diff.duration_s)))
    return found


def _short(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= VALUE else f"{text[: VALUE - 1]}…"


def blast_words(parts: dict[str, tuple[list[str], int]]) -> str:
    """ "3 running, 5 waiting" of what a cancel stops; "" for nothing."""
    return ", ".join(f"{count:,} {word}" for word, (_, count) in parts.items() if count)


def tasks_words(count: int) -> str:
    """1 task, 4 tasks."""
    return counted(count, "task")
