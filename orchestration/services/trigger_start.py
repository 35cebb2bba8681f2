"""A request at a trigger's address: is it proven, and what becomes of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from orchestration.domain.errors import AlreadyRunning, Conflict, Forbidden, NotFound, OrchestrationError
from orchestration.domain.triggers import WINDOW_S, Proof, mark_of, overrides_of, read_header
from orchestration.models import Task, Tree, Trigger, TriggerUse
from orchestration.selectors.triggers import trigger_named
from orchestration.services import audit, idempotency, throttle
from orchestration.services.runs import run_start
from orchestration.services.triggers import secret_of

STARTED, SKIPPED = 202, 200


class StaleSignature(OrchestrationError):
    """The signature is right, but not of now: sign each request when it is sent, by a clock that is right."""

    code = "stale_signature"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request shows to prove itself."""

    public_id: str
    secret: str = ""  # the end of the address
    header: str = ""  # X-Apflow-Signature
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Proven:
    """A request that may start a run."""

    trigger: Trigger
    mark: str  # of its signature; "" = it has none


@dataclass(frozen=True, slots=True)
class Fired:
    """What became of a request."""

    run_id: int
    started: bool  # False: the run was active already
    replayed: bool = False  # the answer to an earlier request with the same Idempotency-Key


def proven(shown: Shown) -> Proven | None:
    """The trigger that *shown* opens; None for an unknown, disabled or expired one and a wrong proof alike.

    Raises StaleSignature when the signature is right and its time is more than five minutes off. One query.
    """
    trigger = trigger_named(shown.public_id)
    now = timezone.now()
    # work as much for what does not exist: the time tells nothing
    tried = trigger or Trigger(public_id=shown.public_id, proof=Proof.SIGNATURE if shown.header else Proof.URL)
    secret = secret_of(tried)
    if tried.proof == Proof.URL:
        good, mark, at = constant_time_compare(shown.secret, secret), "", 0
    else:
        at, mark = read_header(shown.header) or (0, "")
        good = constant_time_compare(mark, mark_of(secret, at, shown.body)) and not shown.secret
    if trigger is None or not good or not _usable(trigger):
        return None
    if mark and abs(now.timestamp() - at) > WINDOW_S:
        raise StaleSignature
    return Proven(trigger, mark)


def trigger_fire(
    request: Proven, *, body: Any, key: str | None = None, fingerprint: str = "", skip: bool = False
) -> Fired | None:
    """The run that a proven request has started, with the rights that the tree's owner has now.

    *body*: JSON data, or None without one. *key*: its Idempotency-Key. *skip*: a run that is active will do. None: the
    trigger was disabled or changed meanwhile, or its owner may run the tree no longer (an audit entry says so).
    Raises Invalid, AlreadyRunning, Conflict (archived, replayed, idempotency_conflict ...).
    """
    try:
        with transaction.atomic():
            return _start(request, body, key, fingerprint)
    except AlreadyRunning as active:
        if skip:
            return Fired(active.run_id, started=False)
        raise
    except (NotFound, Forbidden) as refused:
        trigger = request.trigger
        told = {"trigger": trigger.pk, "name": trigger.name, "code": refused.code, "owner": trigger.tree.owner_id}
        audit.record(action="trigger.refused", target=f"tree:{trigger.tree_id}", details=told)
        return None


def count_use(request: Proven) -> None:
    """Raises TooMany beyond the trigger's requests in a minute."""
    throttle.use_allowed("trigger", str(request.trigger.pk), request.trigger.per_minute)


def _usable(trigger: Trigger) -> bool:
    return trigger.enabled and (trigger.expires_at is None or timezone.now() < trigger.expires_at)


def _start(request: Proven, body: Any, key: str | None, fingerprint: str) -> Fired | None:
    """The tree is locked first: whoever changes a trigger, or starts a run, does the same."""
    known = request.trigger
    Tree.objects.select_for_update().filter(pk=known.tree_id).first()
    same = Trigger.objects.filter(pk=known.pk, generation=known.generation)
    trigger = same.select_related("tree__owner").first()
    if trigger is None or not _usable(trigger):
        return None
    owner = trigger.tree.owner
    claimed = None if key is None else idempotency.claim(user=owner, key=_key(trigger, key), fingerprint=fingerprint)
    if isinstance(claimed, idempotency.Remembered):
        return Fired(claimed.answer["run"], started=True, replayed=True)
    _take(trigger, request.mark)
    overrides = overrides_of(trigger.body, _inputs(trigger), body)
    run = run_start(user=owner, tree_id=trigger.tree_id, overrides=overrides, via=f"trigger {trigger.name}")
    Trigger.objects.filter(pk=trigger.pk).update(use_count=F("use_count") + 1, last_used_at=run.started_at)
    if claimed is not None:
        idempotency.remember(claimed, status=STARTED, answer={"run": run.pk})
    return Fired(run.pk, started=True)


def _inputs(trigger: Trigger) -> dict[str, list[str]]:
    """What a body may set, without tasks that are gone."""
    tasks = Task.objects.filter(tree=trigger.tree_id, pk__in=list(trigger.inputs))
    present = {str(pk) for pk in tasks.values_list("pk", flat=True)}
    return {task: names for task, names in trigger.inputs.items() if task in present}


def _key(trigger: Trigger, key: str) -> str:
    """A key apart from those that the owner uses: theirs hold no space."""
    return f"trigger {trigger.pk} {hashlib.sha256(key.encode()).hexdigest()}"


def _take(trigger: Trigger, mark: str) -> None:
    """Accept a signature once. Effects: those that are too old to be good are forgotten."""
    if not mark:
        return
    now = timezone.now()
    TriggerUse.objects.filter(at__lt=now - timedelta(seconds=2 * WINDOW_S + 1)).delete()
    _, new = TriggerUse.objects.get_or_create(trigger=trigger, mark=mark, defaults={"at": now})
    if not new:
        raise Conflict("this signed request was carried out already: sign each request anew", code="replayed")
