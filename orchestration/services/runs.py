"""Start, cancel and re-execute: what people and programs ask of runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from orchestration.domain.errors import AlreadyFinished, AlreadyRunning, Conflict, Invalid, Problem
from orchestration.domain.json_gate import text_problem
from orchestration.domain.rerun import Decision, PlanTask, plan
from orchestration.domain.states import TERMINAL, Mode
from orchestration.failpoints import failpoint
from orchestration.models import Dependency, Run, Task, Tree
from orchestration.publishing import nudge
from orchestration.selectors import access
from orchestration.services import audit, transitions_verbs
from orchestration.services.executor_rights import check_started
from orchestration.services.locking import lock_active_run, lock_run, lock_tree
from orchestration.services.quotas import require_run
from orchestration.services.run_overrides import check_overrides, forbid_borrowed

MAX_REASON = 500  # characters
NAMED = 10  # tasks that an error names


def run_start(
    *,
    user: Any,
    tree_id: int,
    mode: str = Mode.ALL,
    chosen: Collection[UUID | str] = (),
    overrides: dict[str, Any] | None = None,
    via: str = "",
) -> Run:
    """A new active run of the tree, its scope reset to pending.

    *mode*: all, failed, from, only (the last two with *chosen* task ids). *overrides*: task id -> {inputs, priority,
    timeout_s} for this run alone. *via*: what starts it with the user's rights, such as "trigger nightly". Raises
    NotFound, Forbidden, AlreadyRunning, Conflict (archived, nothing to run, tasks without an executor), Invalid.
    Effects: a run row, the scope's tasks, event 1; a nudge to the engine on commit.
    """
    with transaction.atomic():
        access.tree_for_run(user, tree_id)
        tree = lock_tree(tree_id)
        previous = Run.objects.filter(tree=tree).order_by("-number").first()
        _forbid_start(tree, previous)
        scope = _scope(tree, mode, chosen)
        _forbid_drafts(tree, scope)
        check_started(tree)
        require_run(tree.owner_id)
        checked = check_overrides(tree, overrides)
        forbid_borrowed(checked, tree, by_owner=user.pk == tree.owner_id and not via)
        run = Run.objects.create(
            tree=tree,
            number=tree.run_count + 1,
            mode=Mode(mode),
            chosen=[str(task_id) for task_id in chosen],
            overrides=checked,
            retry_of=previous,
            started_by=user,
            started_via=via,
            started_at=timezone.now(),
        )
        transitions_verbs.open_run(run, scope)
        if not run.total:
            raise Conflict("nothing would run: every task is a link; re-execute the originals", code="nothing_to_run")
        Tree.objects.filter(pk=tree.pk).update(run_count=run.number)
        failpoint("run.start")
        nudge(run.pk)
        _note_start(user, run)
    return run


def _note_start(user: Any, run: Run) -> None:
    """An audit entry; what was changed for this run is named, its values are with the attempts.

    Whoever has a trigger's address is not its owner, whose rights it has.
    """
    details = {"tree": run.tree_id, "number": run.number, "mode": str(run.mode), "tasks": run.total}
    details |= {"chosen": run.chosen[:NAMED]} if run.chosen else {}
    details |= {"overrides": sorted(run.overrides)[:NAMED]} if run.overrides else {}
    details |= {"via": run.started_via, "rights_of": user.get_username()} if run.started_via else {}
    again, actor = run.mode != Mode.ALL, None if run.started_via else user
    audit.act(actor=actor, action="run.retry" if again else "run.start", target=f"run:{run.pk}", details=details)


def run_preview(*, user: Any, tree_id: int, mode: str, chosen: Collection[UUID | str] = ()) -> dict[str, Decision]:
    """What `run_start` would do, per task (32 hex digits): runs or reused, and why. Changes nothing; raises like it."""
    tree = access.tree_for_read(user, tree_id)
    return plan(_mode(mode), [_hex(task_id) for task_id in chosen], _plan_tasks(tree))


def run_cancel(*, user: Any, run_id: int, reason: str = "") -> Run:
    """The run with everything of it cancelled that was pending, and asked to stop what was running.

    Raises NotFound, Forbidden, AlreadyFinished, Invalid (reason). Effects: as transitions.cancel, the person and the
    reason on the run; a nudge on commit. Cancelling twice is not an error.
    """
    reason = _clean_reason(reason)
    with transaction.atomic():
        access.run_for_cancel(user, run_id)
        run = lock_run(run_id)
        if run.status in TERMINAL:
            raise AlreadyFinished(f"run #{run.number} is already {run.status}, nothing to cancel")
        if run.cancel_requested_at is None:
            Run.objects.filter(pk=run_id).update(cancel_requested_at=timezone.now(), cancelled_by=user, reason=reason)
            transitions_verbs.cancel(run_id, cancel_text(user, reason))
            details = {"tree": run.tree_id, "number": run.number, "reason": reason}
            audit.act(actor=user, action="run.cancel", target=f"run:{run_id}", details=details)
            failpoint("run.cancel")
        nudge(run_id)
    run.refresh_from_db()
    return run


def task_cancel(*, user: Any, task_id: UUID | str, reason: str = "", subtree: bool = False) -> Task:
    """The task cancelled, or asked to stop; with *subtree* everything under it too.

    Raises NotFound, Forbidden, AlreadyFinished (it has ended, or no run is active), Invalid (reason).
    """
    reason = _clean_reason(reason)
    with transaction.atomic():
        task = access.task_for_cancel(user, task_id)
        run = lock_active_run(task.tree_id)
        task = access.task_for_cancel(user, task_id)  # as it is now
        if task.status in TERMINAL and not (subtree and run is not None):
            raise AlreadyFinished(f"task '{task.name}' is already {task.status}, cannot cancel")
        if run is None or task.run_id != run.pk:
            raise AlreadyFinished(f"task '{task.name}' is in no active run: there is nothing to cancel")
        ids = _with_descendants(task) if subtree else [task.pk.hex]
        before = task.status
        transitions_verbs.cancel(run.pk, cancel_text(user, reason), task_ids=ids)
        failpoint("task.cancel")
        nudge(run.pk)
        details = {"run": run.pk, "before": before, "tasks": len(ids), "subtree": subtree, "reason": reason}
        audit.act(actor=user, action="task.cancel", target=f"task:{task.pk}", details=details)
    task.refresh_from_db()
    return task


def cancel_text(user: Any, reason: str) -> str:
    """The error text of a task that a person has cancelled."""
    return f"Cancelled by {user.get_username()}" + (f": {reason}" if reason else "")


def _clean_reason(reason: str) -> str:
    reason = reason.strip()
    problem = text_problem(reason, max_length=MAX_REASON, field="reason", single_line=False) if reason else None
    if problem:
        raise Invalid([problem])
    return reason


def _forbid_start(tree: Tree, newest: Run | None) -> None:
    """Only the *newest* run of a tree can be active: there is no other while one is."""
    if tree.archived_at is not None:
        raise Conflict("an archive is frozen: copy it and run the copy", code="archived")
    if newest is not None and newest.is_active:
        raise AlreadyRunning(
            f"run #{newest.number} of this tree is active already: cancel it or wait", run_id=newest.pk
        )


def _forbid_drafts(tree: Tree, scope: Collection[str] | None) -> None:
    undecided = Task.objects.filter(tree=tree, executor="", linked_attempt=None)
    runs = None if scope is None else set(scope)
    drafts = [
        name
        for task_id, name, inputs, params in undecided.values_list("id", "name", "inputs", "params")
        if (inputs or params) and (runs is None or task_id.hex in runs)
    ]
    if drafts:
        names = ", ".join(f"'{name}'" for name in drafts[:NAMED])
        more = f" and {len(drafts) - NAMED} more" if len(drafts) > NAMED else ""
        raise Conflict(
            f"choose an executor first for {names}{more}: they have inputs but nothing to run", code="draft_tasks"
        )


def _mode(mode: str) -> Mode:
    try:
        return Mode(mode)
    except ValueError:
        known = ", ".join(Mode)
        raise Invalid([Problem("mode", f"unknown mode '{mode}': use one of {known}", "unknown_mode")]) from None


def _hex(task_id: UUID | str) -> str:
    try:
        return UUID(str(task_id)).hex
    except ValueError:
        raise Invalid([Problem("chosen", f"'{task_id}' is not a task id", "invalid_type")]) from None


def _scope(tree: Tree, mode: str, chosen: Collection[UUID | str]) -> list[str] | None:
    """Ids of the tasks that run; None = all, which needs no look at the graph."""
    if _mode(mode) == Mode.ALL:
        return None
    decisions = plan(_mode(mode), [_hex(task_id) for task_id in chosen], _plan_tasks(tree))
    return [task_id for task_id, decision in decisions.items() if decision.runs]


def _plan_tasks(tree: Tree) -> dict[str, PlanTask]:
    rows = Task.objects.filter(tree=tree).order_by("position")
    tasks = {
        task_id.hex: PlanTask(task_id.hex, status, blocked is not None, linked is not None, name=name)
        for task_id, status, blocked, linked, name in rows.values_list(
            "id", "status", "blocked_by_id", "linked_attempt_id", "name"
        )
    }
    edges = Dependency.objects.filter(task__tree=tree).values_list("task_id", "depends_on_id", "required")
    for task_id, awaited, required in edges:
        tasks[task_id.hex].depends_on.append(awaited.hex)
        if required:
            tasks[task_id.hex].requires.add(awaited.hex)
    return tasks


def _with_descendants(task: Task) -> list[str]:
    """The task and everything under it: in the outline that is the stretch until the next task of no greater depth."""
    after = Task.objects.filter(tree=task.tree_id, position__gt=task.position, depth__lte=task.depth)
    end = after.order_by("position").values_list("position", flat=True).first()
    below = Task.objects.filter(tree=task.tree_id, position__gte=task.position)
    if end is not None:
        below = below.filter(position__lt=end)
    return [task_id.hex for task_id in below.values_list("id", flat=True)]
