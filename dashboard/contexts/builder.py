"""What the builder shows of a draft."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from dashboard.contexts.builder_graph import clip
from dashboard.contexts.common import priority_word
from dashboard.texts import counted
from orchestration.builders.draft import hex_of
from orchestration.domain.explain.dryrun import DryRun, SlotLimits, dry_run
from orchestration.domain.explain.facts import EdgeFact, TaskFact
from orchestration.domain.lint import RANK, Finding, Known, LintEdge, LintTask, Severity, lint
from orchestration.domain.outline_edit import Array, Item
from orchestration.domain.story import duration_words
from orchestration.executors.base import JsonSchema
from orchestration.executors.registry import all_executors, find

WINDOW = 500  # tasks of an outline that are shown at a time
EDGES = 3  # dependencies named in a line
WAVES, IN_WAVE = 60, 12
FINDINGS = 50
CUTS = 4  # dependencies of a cycle that have a button


@dataclass(frozen=True, slots=True)
class Line:
    """A task in the outline."""

    id: str
    name: str
    level: int
    indent: int
    executor: str
    kind: str  # group, draft or ""
    priority: str  # "" for normal
    after: str
    mark: str  # severity of its worst finding, or ""
    here: bool


@dataclass(frozen=True, slots=True)
class Lines:
    """A window of the outline."""

    lines: tuple[Line, ...]
    first: int
    total: int
    previous: str  # a task of the window before
    next: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding with the name of its task."""

    severity: str
    task: str
    name: str
    message: str
    remedy: str
    cuts: tuple[tuple[str, str, str], ...]  # (waiting, awaited, words) of dependencies that a button removes


@dataclass(frozen=True, slots=True)
class Checks:
    problems: tuple[Problem, ...]
    errors: int
    warnings: int
    hints: int
    more: int
    words: str


@dataclass(frozen=True, slots=True)
class EdgeForm:
    """A dependency of the chosen task."""

    id: str
    name: str
    required: bool
    flow: str  # "", as or map
    as_key: str
    map: str
    words: str


@dataclass(frozen=True, slots=True)
class Wave:
    number: int
    names: tuple[tuple[str, str, bool], ...]  # id, name, on the critical path
    more: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """The dry run of a draft."""

    waves: tuple[Wave, ...]
    more_waves: int
    path: tuple[tuple[str, str], ...]
    total: str
    critical: str
    peak: int
    unknown: int
    assumed: str
    stuck: int  # tasks on or behind a cycle


def findings_of(array: Array) -> list[Finding]:
    """The lint of a draft, with what the registry knows."""
    return lint([_lint_task(item) for item in array], _known())


def _known() -> dict[str, Known]:
    return {
        executor.id: Known(
            frozenset(_required(executor.input_schema)), executor.merges_results, _gives(executor.output_schema)
        )
        for executor in all_executors()
    }


def _required(schema: JsonSchema) -> list[str]:
    found = schema.get("required")
    return [str(key) for key in found] if isinstance(found, list) else []


def _gives(schema: JsonSchema) -> frozenset[str] | None:
    found = schema.get("properties")
    return frozenset(found) if isinstance(found, dict) else None


def _lint_task(item: Item) -> LintTask:
    own = item.get("schemas", {}).get("input_schema")
    return LintTask(
        id=item["id"],
        name=item["name"],
        parent=item.get("parent_id"),
        executor=item.get("executor", ""),
        priority=item.get("priority", 2),
        inputs=frozenset(item.get("inputs", {})),
        required=frozenset(_required(own) if isinstance(own, dict) else ()),
        has_params=bool(item.get("params")),
        edges=tuple(
            LintEdge(edge["id"], edge.get("required", True), edge.get("map"), edge.get("as"))
            for edge in item.get("dependencies", [])
        ),
    )


def checks_of(array: Array, findings: list[Finding]) -> Checks:
    """The findings for people."""
    names = {item["id"]: item["name"] for item in array}
    counts = {severity: sum(f.severity == severity for f in findings) for severity in Severity}
    edges = {(item["id"], edge["id"]) for item in array for edge in item.get("dependencies", [])}
    shown = [
        Problem(f.severity, f.task, names[f.task], f.message, f.remedy, _cuts(f, names, edges))
        for f in findings[:FINDINGS]
    ]
    said = [counted(count, severity) for severity, count in counts.items() if count]
    return Checks(
        tuple(shown), counts[Severity.ERROR], counts[Severity.WARNING], counts[Severity.HINT],
        max(0, len(findings) - FINDINGS), ", ".join(said) or gettext("all clear"),
    )  # fmt: skip


def _cuts(
    finding: Finding, names: Mapping[str, str], edges: Collection[tuple[str, str]]
) -> tuple[tuple[str, str, str], ...]:
    """Dependencies of which taking one away mends it."""
    ring = finding.tasks if finding.code == "cycle" else ()
    pairs = [(task, ring[(at + 1) % len(ring)]) for at, task in enumerate(ring)] or [(finding.task, finding.edge)]
    return tuple(
        (a, b, (gettext("“%(clip)s” waits for “%(clip2)s”") % {"clip": clip(names[a]), "clip2": clip(names[b])}))
        for a, b in pairs[:CUTS]
        if (a, b) in edges
    )


def lines_of(array: Array, findings: list[Finding], here: str) -> Lines:
    """The window of the outline that holds the task *here*."""
    names = {item["id"]: item["name"] for item in array}
    place = next((index for index, item in enumerate(array) if item["id"] == here), 0)
    first = place // WINDOW * WINDOW
    marks = _marks(findings)
    depths: dict[str | None, int] = {None: -1}
    for item in array:
        depths[item["id"]] = depths[item.get("parent_id")] + 1
    shown = array[first : first + WINDOW]
    return Lines(
        tuple(_line(item, depths[item["id"]], names, marks.get(item["id"], ""), here) for item in shown),
        first,
        len(array),
        array[first - WINDOW]["id"] if first else "",
        array[first + WINDOW]["id"] if first + WINDOW < len(array) else "",
    )


def _marks(findings: Iterable[Finding]) -> dict[str, str]:
    found: dict[str, Severity] = {}
    for finding in findings:
        for task in finding.tasks if finding.code == "cycle" else (finding.task,):
            if task not in found or RANK[finding.severity] < RANK[found[task]]:
                found[task] = finding.severity
    return {task: severity.value for task, severity in found.items()}


def _line(item: Item, depth: int, names: Mapping[str, str], mark: str, here: str) -> Line:
    edges = item.get("dependencies", [])
    after = [names[e["id"]] + ("" if e.get("required", True) else " (optional)") for e in edges[:EDGES]]
    more = (gettext(" and %(value)s more") % {"value": len(edges) - EDGES}) if len(edges) > EDGES else ""
    executor = item.get("executor", "")
    draft = not executor and (item.get("inputs") or item.get("params"))
    return Line(
        id=item["id"],
        name=item["name"],
        level=depth + 1,
        indent=18 * min(depth, 20),
        executor=executor,
        kind="" if executor else gettext("no executor") if draft else "group",
        priority="" if item.get("priority", 2) == 2 else priority_word(item["priority"]),
        after=", ".join(after) + more,
        mark=mark,
        here=item["id"] == here,
    )


def edge_forms(array: Array, item: Item) -> tuple[EdgeForm, ...]:
    """The dependencies of *item*, each as a small form."""
    names = {one["id"]: one["name"] for one in array}
    return tuple(_edge_form(edge, names[edge["id"]]) for edge in item.get("dependencies", []))


def _edge_form(edge: Item, name: str) -> EdgeForm:
    mapping, key = edge.get("map"), edge.get("as")
    flow = "map" if mapping is not None else "as" if key is not None else ""
    words = {
        "map": ", ".join(f"{k} ← {v}" for k, v in (mapping or {}).items()),
        "as": (gettext("as %(key)s") % {"key": key}),
    }.get(flow, "")
    text = "\n".join(f"{k} = {v}" for k, v in (mapping or {}).items())
    return EdgeForm(edge["id"], name, edge.get("required", True), flow, key or "", text, words)


def forecast_of(array: Array, durations: Mapping[str, float], slots: SlotLimits) -> Forecast:
    """What a run of *array* would do if every task completes."""
    names = {item["id"]: item["name"] for item in array}
    found = dry_run(*_facts(array), scope=set(names), durations=_by_id(array, durations), slots=slots)
    path = set(found.critical_path)
    groups = {item["id"] for item in array if not item.get("executor")}
    works = [wave for every in found.waves if (wave := [task for task in every if task not in groups])]
    waves = [
        Wave(n, tuple((t, clip(names[t]), t in path) for t in wave[:IN_WAVE]), max(0, len(wave) - IN_WAVE))
        for n, wave in enumerate(works[:WAVES], start=1)
    ]
    return _told(found, waves, names, len(works), len(array))


def _told(found: DryRun, waves: list[Wave], names: Mapping[str, str], count: int, total: int) -> Forecast:
    return Forecast(
        waves=tuple(waves),
        more_waves=max(0, count - WAVES),
        path=tuple((task, names[task]) for task in found.critical_path[:100]),
        total=duration_words(found.total_s),
        critical=duration_words(found.critical_s),
        peak=found.peak,
        unknown=found.unknown,
        assumed=duration_words(found.assumed_s),
        stuck=total - sum(map(len, found.waves)),
    )


def _facts(array: Array) -> tuple[dict[str, TaskFact], list[EdgeFact]]:
    tasks, edges = {}, []
    for position, item in enumerate(array):
        executor: Any = find(item.get("executor", ""))
        isolated = executor.isolated if executor else True
        tasks[item["id"]] = TaskFact(
            id=item["id"], name=item["name"], executor=item.get("executor", ""), priority=item.get("priority", 2),
            position=position, isolated=isolated,
        )  # fmt: skip
        edges += [EdgeFact(item["id"], edge["id"], edge.get("required", True)) for edge in item.get("dependencies", [])]
    return tasks, edges


def _by_id(array: Array, durations: Mapping[str, float]) -> dict[str, float]:
    found = {item["id"]: durations.get(hex_of(item["id"])) for item in array} if durations else {}
    return {task: seconds for task, seconds in found.items() if seconds is not None}
