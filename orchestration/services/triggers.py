"""Triggers of a tree: made, changed, given a new secret, deleted. Firing one: services.trigger_start."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from orchestration.domain.errors import Conflict, Invalid, Problem
from orchestration.domain.json_gate import safe_text, text_problem
from orchestration.domain.task_fields import got, name_problem
from orchestration.domain.triggers import PAYLOAD, BodyUse, Proof
from orchestration.models import Task, Tree, Trigger
from orchestration.models.trigger import PROOFS, USES
from orchestration.selectors.access import tree_for_write
from orchestration.selectors.triggers import trigger_of
from orchestration.services import audit
from orchestration.services.executor_rights import check_started
from orchestration.services.locking import lock_tree

MAX_NAME = 100
MAX_TRIGGERS = 50  # per tree
MAX_TASKS, MAX_INPUTS = 50, 50  # tasks that one body may set, inputs of each
MAX_PER_MINUTE = 600
MAX_DAYS = 3660
CHANGEABLE = ("name", "body", "inputs", "per_minute", "enabled", "expires_at")


def secret_of(trigger: Trigger) -> str:
    """What proves a request: the end of its address, or the key that its requests are signed with."""
    told = f"{trigger.public_id}:{trigger.generation}"
    digest = salted_hmac(f"apflow.trigger.{trigger.proof}", told, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def address_of(trigger: Trigger, *, secret: bool) -> str:
    """The path that requests go to; *secret*: with what makes it work, if that is part of it."""
    shown = secret and trigger.proof == Proof.URL
    return f"/hooks/{trigger.public_id}/" + (f"{secret_of(trigger)}/" if shown else "")


@transaction.atomic
def trigger_create(*, user: Any, tree_id: int, fields: Mapping[str, Any], ip: str = "") -> Trigger:
    """The new trigger; show its secret now. *fields*: name, and those of CHANGEABLE and proof that differ from their
    defaults. Raises NotFound, Forbidden, Conflict (archived), Invalid with all problems. Effects: an audit entry.
    """
    tree = _tree(user, tree_id)
    if tree.archived_at is not None:
        raise Conflict(f"'{tree.name}' is archived: it cannot be run", code="archived")
    if Trigger.objects.filter(tree=tree).count() >= MAX_TRIGGERS:
        raise Invalid([Problem("name", f"the tree has {MAX_TRIGGERS} triggers: delete some first", "too_many")])
    _check_names(fields, (*CHANGEABLE, "proof"))
    now = timezone.now()
    check_started(tree)
    trigger = Trigger(tree=tree, public_id=secrets.token_urlsafe(12), created_at=now)
    _set(trigger, {"name": "", **fields}, now)
    trigger.save(force_insert=True)
    _told(user, "trigger.create", trigger, ip, proof=trigger.proof, body=trigger.body)
    return trigger


@transaction.atomic
def trigger_change(*, user: Any, tree_id: int, trigger_id: int, changes: Mapping[str, Any], ip: str = "") -> Trigger:
    """The trigger with *changes* to fields of CHANGEABLE.

    Raises NotFound, Forbidden, Invalid with all problems. Effects: an audit entry.
    """
    trigger = _locked(user, tree_id, trigger_id)
    _check_names(changes, CHANGEABLE)
    _set(trigger, changes, timezone.now())
    trigger.save()
    _told(user, "trigger.update", trigger, ip, fields=sorted(changes), enabled=trigger.enabled)
    return trigger


@transaction.atomic
def trigger_rotate(*, user: Any, tree_id: int, trigger_id: int, ip: str = "") -> Trigger:
    """The trigger with another secret; the old one is worth nothing from now on. Raises NotFound, Forbidden.

    Effects: an audit entry.
    """
    trigger = _locked(user, tree_id, trigger_id)
    check_started(trigger.tree)
    trigger.generation += 1
    trigger.save(update_fields=["generation"])
    _told(user, "trigger.rotate", trigger, ip)
    return trigger


@transaction.atomic
def trigger_delete(*, user: Any, tree_id: int, trigger_id: int, ip: str = "") -> str:
    """The name of the trigger that is gone. Raises NotFound, Forbidden. Effects: an audit entry."""
    trigger = _locked(user, tree_id, trigger_id)
    _told(user, "trigger.delete", trigger, ip, uses=trigger.use_count)
    trigger.delete()
    return trigger.name


def _tree(user: Any, tree_id: int) -> Tree:
    tree = tree_for_write(user, tree_id)
    lock_tree(tree.pk)
    return tree


def _locked(user: Any, tree_id: int, trigger_id: int) -> Trigger:
    return trigger_of(_tree(user, tree_id), trigger_id)


def _told(user: Any, action: str, trigger: Trigger, ip: str, **details: Any) -> None:
    told = {"trigger": trigger.pk, "name": trigger.name, **details}
    audit.record(actor=user, action=action, target=f"tree:{trigger.tree_id}", details=told, ip=ip)


def _check_names(fields: Mapping[str, Any], known: tuple[str, ...]) -> None:
    message = f"cannot be set; these can: {', '.join(known)}"
    problems = [Problem(safe_text(name, 64), message, "unknown_field") for name in fields if name not in known]
    if problems:
        raise Invalid(problems)


def _set(trigger: Trigger, fields: Mapping[str, Any], now: datetime) -> None:
    """Puts checked *fields* on *trigger*. Raises Invalid with all problems."""
    problems: list[Problem] = []
    for name, value in fields.items():
        problem = _problem(name, value, now)
        if problem:
            problems.append(problem)
        else:
            setattr(trigger, name, value)
    others = Trigger.objects.filter(tree=trigger.tree_id, name=trigger.name).exclude(pk=trigger.pk)
    if not problems and others.exists():
        problems.append(Problem("name", "another trigger of this tree has that name", "name_taken"))
    if not problems and ({"body", "inputs"} & fields.keys() or trigger.pk is None):
        trigger.inputs = _inputs(trigger, problems)
    if problems:
        raise Invalid(problems)


def _problem(name: str, value: Any, now: datetime) -> Problem | None:
    if name == "name":
        return text_problem(value, max_length=MAX_NAME, field="name")
    if name in ("proof", "body"):
        known = PROOFS if name == "proof" else USES
        return None if value in known else Problem(name, f"use one of {', '.join(known)}", "invalid_choice")
    if name == "per_minute":
        fits = type(value) is int and 1 <= value <= MAX_PER_MINUTE
        return None if fits else Problem(name, f"use a whole number from 1 to {MAX_PER_MINUTE}", "out_of_range")
    if name == "enabled":
        return None if isinstance(value, bool) else Problem(name, "expected true or false", "invalid_type")
    if name == "expires_at" and value is not None and not now < value <= now + timedelta(days=MAX_DAYS):
        return Problem(name, "must be in the future, at most ten years away", "out_of_range")
    return None


def _inputs(trigger: Trigger, problems: list[Problem]) -> dict[str, list[str]]:
    """The checked `inputs` of *trigger*: task id -> names."""
    given: Any = trigger.inputs
    if trigger.body == BodyUse.NONE:
        return {}
    if not isinstance(given, dict):
        message = f'expected an object such as {{"<task id>": ["branch"]}}, got {got(given)}'
        problems.append(Problem("inputs", message, "invalid_type"))
        return {}
    if not given:
        return _default(trigger, problems)
    if len(given) > MAX_TASKS:
        problems.append(Problem("inputs", f"names {len(given)} tasks, {MAX_TASKS} are allowed", "too_many"))
        return {}
    known = _known(trigger.tree_id, given)
    found = {}
    for key, names in given.items():
        path = f"inputs.{safe_text(str(key), 40)}"
        task = known.get(_uuid(key))
        if task is None:
            problems.append(Problem(path, "there is no such task in this tree", "unknown_task"))
        elif not task.executor or task.linked_attempt_id is not None:
            problems.append(Problem(path, "this task does no work, so it has no use for inputs", "no_inputs"))
        else:
            found[str(task.pk)] = _names(names, path, problems)
    return found


def _default(trigger: Trigger, problems: list[Problem]) -> dict[str, list[str]]:
    """The root takes a payload, if it does work."""
    root = Task.objects.filter(tree=trigger.tree_id, parent=None, linked_attempt=None).exclude(executor="").first()
    if trigger.body == BodyUse.PAYLOAD and root is not None:
        return {str(root.pk): [PAYLOAD]}
    message = f'say which inputs of which task a body sets, such as {{"<task id>": ["{PAYLOAD}"]}}'
    problems.append(Problem("inputs", message, "required"))
    return {}


def _known(tree_id: int, given: Mapping[str, Any]) -> dict[UUID | None, Task]:
    ids = [found for found in map(_uuid, given) if found is not None]
    return {task.pk: task for task in Task.objects.filter(tree=tree_id, pk__in=ids)}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _names(names: Any, path: str, problems: list[Problem]) -> list[str]:
    if not isinstance(names, list) or not 0 < len(names) <= MAX_INPUTS:
        message = f"expected a list of 1 to {MAX_INPUTS} names of inputs, got {got(names)}"
        problems.append(Problem(path, message, "invalid_type"))
        return []
    for index, name in enumerate(names):
        problem = (
            name_problem(name, "name") if isinstance(name, str) else Problem("", "expected a text", "invalid_type")
        )
        if problem:
            problems.append(Problem(f"{path}[{index}]", problem.message, problem.code))
    return [name for name in names if isinstance(name, str)]
