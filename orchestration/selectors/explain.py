"""The explanations of domain.explain with their data: for pages and the API. A stranger's object is NotFound."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from orchestration.conf import conf
from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.explain.causes import Cause, root_causes
from orchestration.domain.explain.compare import Comparison, compare_runs
from orchestration.domain.explain.critical import RunPath, critical_path_of_run
from orchestration.domain.explain.dryrun import DryRun, SlotLimits, dry_run
from orchestration.domain.explain.facts import EdgeFact, TaskFact
from orchestration.domain.explain.provenance import InputOrigin, provenance_words
from orchestration.domain.explain.verdicts import EdgeVerdict, edge_verdicts
from orchestration.domain.explain.waiting import Why, why_waiting
from orchestration.domain.rerun import Decision, PlanTask, plan
from orchestration.domain.states import Mode, Status
from orchestration.models import Attempt, Run, Task
from orchestration.selectors import access
from orchestration.selectors.explain_compare import run_tasks
from orchestration.selectors.explain_history import history, slot_limits, slots_for
from orchestration.selectors.explain_load import edge_facts, run_facts, task_facts


@dataclass(frozen=True, slots=True)
class TaskExplanation:
    """Why a task waits or will never run, what its dependencies came to, where the newest attempt's inputs are from."""

    why: Why
    verdicts: list[EdgeVerdict]
    origins: list[InputOrigin]
    tasks: dict[str, TaskFact]  # of its tree, by 32 hex digits


@dataclass(frozen=True, slots=True)
class RunExplanation:
    causes: list[Cause]
    path: RunPath
    verdicts: list[EdgeVerdict]  # one per dependency of a task in the run
    tasks: dict[str, TaskFact]


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    comparison: Comparison
    run_a: Run
    run_b: Run


@dataclass(frozen=True, slots=True)
class DryRunReport:
    forecast: DryRun
    decisions: dict[str, Decision]  # task id (32 hex digits) -> runs or reused, and why
    names: dict[str, str]
    slots: SlotLimits
    engine_alive: bool  # False: the forecast takes the configured slots


def explain_task(user: Any, task_id: UUID | str, *, now: datetime | None = None) -> TaskExplanation:
    """For the task as it is now. Raises NotFound. At most nine queries."""
    task = access.task_for_read(user, task_id)
    now = now or timezone.now()
    run: Run | None = task.run
    tasks, edges = task_facts(task.tree_id, run), edge_facts(task.tree_id)
    needs_slots = run is not None and run.is_active and task.status == Status.PENDING and task.blocked_by_id is None
    slots = slots_for(user, now, with_queue=needs_slots, run_limit=task.tree.max_parallel)
    why = why_waiting(task.pk.hex, tasks, edges, slots)
    own = [edge for edge in edges if edge.task == task.pk.hex]
    return TaskExplanation(why, edge_verdicts(tasks, own), _origins(task, tasks), tasks)


def explain_run(user: Any, run_id: int, *, now: datetime | None = None) -> RunExplanation:
    """Root causes, critical path and verdicts of a run, active or over. Raises NotFound. At most seven queries."""
    return explanation_of(access.run_for_read(user, run_id), now=now)


def explanation_of(run: Run, *, now: datetime | None = None, with_verdicts: bool = True) -> RunExplanation:
    """As `explain_run`, of a run that the caller may read; the verdicts only if asked for."""
    facts, edges = run_facts(run, now or timezone.now()), edge_facts(run.tree_id)
    inside = [edge for edge in edges if facts.tasks[edge.task].in_run] if with_verdicts else []
    return RunExplanation(
        causes=root_causes(facts.tasks, edges),
        path=critical_path_of_run(facts.timings, edges),
        verdicts=edge_verdicts(facts.tasks, inside),
        tasks=facts.tasks,
    )


def compare(user: Any, run_a: int, run_b: int, *, now: datetime | None = None) -> ComparisonReport:
    """How run b differs from run a; of one tree or of two (then tasks pair by name). Raises NotFound."""
    first, second = access.run_for_read(user, run_a), access.run_for_read(user, run_b)
    now = now or timezone.now()
    by_name = first.tree_id != second.tree_id
    found = compare_runs(run_tasks(first, now, by_name=by_name), run_tasks(second, now, by_name=by_name))
    return ComparisonReport(found, first, second)


def dry_run_of(
    user: Any,
    tree_id: int,
    mode: str = Mode.ALL,
    chosen: Collection[UUID | str] = (),
    *,
    now: datetime | None = None,
) -> DryRunReport:
    """What a run of the tree would do. Raises NotFound, Invalid (mode, chosen), Conflict (nothing would run)."""
    tree = access.tree_for_read(user, tree_id)
    tasks, edges = task_facts(tree.pk, None), edge_facts(tree.pk)
    decisions = plan(_mode(mode), [_hex(task) for task in chosen], _plan_tasks(tasks, edges))
    scope = [task_id for task_id, decision in decisions.items() if decision.runs]
    limits, alive = slot_limits(now or timezone.now())
    if not alive:
        limits = SlotLimits(conf().process_slots, conf().async_slots)
    limits = replace(limits, executors=conf().executor_limits, together=tree.max_parallel)
    forecast = dry_run(tasks, edges, scope, history(tree.pk), limits)
    return DryRunReport(forecast, decisions, {t.id: t.name for t in tasks.values()}, limits, alive)


def _plan_tasks(tasks: dict[str, TaskFact], edges: list[EdgeFact]) -> dict[str, PlanTask]:
    found = {t.id: PlanTask(t.id, t.status, t.blocked_by is not None, t.linked, name=t.name) for t in tasks.values()}
    for edge in edges:
        found[edge.task].depends_on.append(edge.depends_on)
        if edge.required:
            found[edge.task].requires.add(edge.depends_on)
    return found


def _origins(task: Task, tasks: dict[str, TaskFact]) -> list[InputOrigin]:
    attempt = Attempt.objects.filter(task=task, number=task.attempt).values_list("provenance", flat=True).first()
    return provenance_words(attempt or {}, {t.id: t.name for t in tasks.values()})


def _mode(mode: str) -> Mode:
    if mode not in list(Mode):
        raise Invalid([Problem("mode", f"unknown mode '{mode}': use one of {', '.join(Mode)}", "unknown_mode")])
    return Mode(mode)


def _hex(task_id: UUID | str) -> str:
    return str(task_id).replace("-", "").lower()
