"""The plan of a run before it starts: which tasks run, which are reused and why, and what may be changed for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils.translation import gettext, gettext_lazy

from dashboard.contexts.common import State, query_of
from dashboard.contexts.tasks import task_state
from dashboard.texts import counted
from orchestration.domain.rerun import Decision
from orchestration.domain.states import Mode
from orchestration.models import Run, Task, Tree

PAGE = 100  # tasks of a page of a plan

MODES = (
    (Mode.FAILED, gettext_lazy("What did not complete"), gettext_lazy("and everything after it")),
    (Mode.FROM, gettext_lazy("From the chosen tasks"), gettext_lazy("and everything after them")),
    (Mode.ONLY, gettext_lazy("Only the chosen tasks"), gettext_lazy("and what they need that has no result yet")),
    (Mode.ALL, gettext_lazy("Everything"), gettext_lazy("the whole tree again")),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A mode as a radio button."""

    key: str
    word: str
    hint: str
    here: bool


@dataclass(frozen=True, slots=True)
class Texts:
    """What stands in the fields of a task: posted texts, or what it has."""

    inputs: str = ""
    priority: str = ""
    timeout_s: str = ""
    changed: bool = False  # something other than declared stands there


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A task of the plan."""

    id: str  # 32 hex digits
    name: str
    url: str
    indent: int
    executor: str
    state: State
    runs: bool
    why: str
    chosen: bool
    choosable: bool
    texts: Texts
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanView:
    """The whole page."""

    title: str
    back_url: str
    action_url: str
    modes: tuple[Choice, ...]
    mode: str
    needs_choice: bool
    chosen: tuple[str, ...]  # all of them, also those of other pages
    hidden: tuple[str, ...]  # chosen ones without a checkbox on this page
    lines: tuple[PlanLine, ...]
    total: int
    runs: int
    reused: int
    button: str
    refusal: str  # why it cannot start
    problems: tuple[str, ...]
    previous_url: str
    next_url: str
    search: str
    only_runs: bool
    tasks_total: int
    priorities: tuple[tuple[int, str], ...] = ((0, "0 urgent"), (1, "1 high"), (2, "2 normal"), (3, "3 low"))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address or the form asks for."""

    mode: str
    chosen: tuple[str, ...]
    start: int = 0
    search: str = ""
    only_runs: bool = False
    texts: Mapping[str, Texts] = field(default_factory=dict)
    problems: Mapping[str, list[str]] = field(default_factory=dict)  # task -> what is wrong; "" = about the whole


def plan_view(
    tree: Tree,
    asked: Asked,
    decisions: Mapping[str, Decision],
    tasks: list[Task],
    *,
    refusal: str,
    run: Run | None,
    found: int,
) -> PlanView:
    """The plan; *tasks*: those of the page, *found*: how many match the filter."""
    runs = sum(d.runs for d in decisions.values())
    base = f"/runs/{run.pk}/rerun" if run else f"/trees/{tree.pk}/start"
    own = {"mode": asked.mode, "q": asked.search, "only": "runs" if asked.only_runs else ""}
    query = "&".join([query_of(**own), *(f"task={task_id}" for task_id in asked.chosen)])
    before = run.overrides if run else {}
    shown = {task.pk.hex for task in tasks}
    return PlanView(
        title=(gettext("Re-run %(name)s") % {"name": tree.name})
        if tree.run_count
        else (gettext("Run %(name)s") % {"name": tree.name}),
        back_url=run.get_absolute_url() if run else tree.get_absolute_url(),
        action_url=base,
        modes=tuple(Choice(mode, str(word), str(hint), asked.mode == mode) for mode, word, hint in MODES),
        mode=asked.mode,
        needs_choice=asked.mode in {Mode.FROM, Mode.ONLY},
        chosen=asked.chosen,
        hidden=tuple(task_id for task_id in asked.chosen if task_id not in shown),
        lines=tuple(_line(task, asked, decisions.get(task.pk.hex), before) for task in tasks),
        total=len(decisions),
        runs=runs,
        reused=len(decisions) - runs,
        button=_button(tree, decisions, runs),
        refusal=refusal,
        problems=tuple(asked.problems.get("", ())),
        previous_url=f"{base}?{query}&start={max(0, asked.start - PAGE)}" if asked.start else "",
        next_url=f"{base}?{query}&start={asked.start + PAGE}" if asked.start + PAGE < found else "",
        search=asked.search,
        only_runs=asked.only_runs,
        tasks_total=tree.task_count,
    )


def _button(tree: Tree, decisions: Mapping[str, Decision], runs: int) -> str:
    reused = len(decisions) - runs
    verb = gettext("Re-run") if tree.run_count else gettext("Run")
    reuse = gettext(", reuse %(reused)s") % {"reused": f"{reused:,}"} if reused else ""
    return f"{verb} {counted(runs, 'task')}{reuse}"


def _line(task: Task, asked: Asked, decision: Decision | None, before: Mapping[str, Any]) -> PlanLine:
    task_id = task.pk.hex
    texts = asked.texts.get(task_id) or texts_of(task, before.get(task_id) or before.get(str(task.pk)) or {})
    return PlanLine(
        id=task_id,
        name=task.name,
        url=f"/tasks/{task.pk}",
        indent=18 * min(task.depth, 12),
        executor=task.executor,
        state=task_state(task),
        runs=decision is not None and decision.runs,
        why=decision.why if decision else "",
        chosen=task_id in asked.chosen,
        choosable=task.linked_attempt_id is None,
        texts=texts,
        problems=tuple(asked.problems.get(task_id, ())),
    )


def texts_of(task: Task, override: Mapping[str, Any]) -> Texts:
    """The fields of *task* as it is declared, with the *override* that the run before had."""
    given = override.get("inputs") if isinstance(override.get("inputs"), dict) else {}
    timeout = override.get("timeout_s", task.timeout_s)
    return Texts(
        inputs=json.dumps({**task.inputs, **(given or {})}, indent=2, ensure_ascii=False),
        priority=str(override.get("priority", task.priority)),
        timeout_s="" if timeout is None else f"{timeout:g}",
        changed=bool(override),
    )


def hex_id(text: str) -> str:
    """*text* as 32 hex digits, "" when it is no task id."""
    try:
        return UUID(text).hex
    except ValueError:
        return ""
