"""Operations on many trees or runs: accepted at once, worked on in small steps, stoppable, exactly once per item."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils import timezone

from orchestration.domain.errors import Conflict, Invalid, OrchestrationError
from orchestration.domain.json_gate import text_problem
from orchestration.domain.operations import OPEN, Bulk, Kind, OperationState
from orchestration.failpoints import failpoint
from orchestration.models import BulkOperation, Run, Tree
from orchestration.selectors.bulk import BulkPreview, operation_for_read
from orchestration.services import audit
from orchestration.services.locking import lock_families

STEP = 20  # items of one transaction
STEP_S = 0.15  # after this long a transaction ends: others want to write too
KEPT_FAILURES = 200
MAX_REASON = 500
ALIVE = timedelta(seconds=30)  # a worker silent for longer has gone: another one takes over

Perform = Callable[[User, BulkOperation, int], object]


@transaction.atomic
def operation_create(
    *, user: Any, kind: Kind, action: Bulk, found: BulkPreview, query: str = "", reason: str = "", argument: str = ""
) -> BulkOperation:
    """The operation on everything in *found* that is possible; a worker takes it up.

    Raises Conflict (nothing is possible), Invalid (reason). Effects: one row, one audit entry.
    """
    reason = reason.strip()
    problem = text_problem(reason, max_length=MAX_REASON, field="reason", single_line=False) if reason else None
    if problem:
        raise Invalid([problem])
    if not found.ids:
        raise Conflict("nothing of what you have chosen allows this", code="nothing_chosen")
    operation = BulkOperation.objects.create(
        actor=user,
        action=action.value,
        kind=kind.value,
        query=query,
        ids=list(found.ids),
        reason=reason,
        argument=argument,
        total=len(found.ids),
        refused=found.refused_count,
        use_shell=not audit.shell_withheld(),
        created_at=timezone.now(),
    )
    details = {"total": operation.total, "refused": operation.refused, "query": query, "reason": reason}
    audit.record(
        actor=user,
        action=f"bulk.{action.value}",
        target=f"operation {operation.pk}",
        details={**details, "kind": kind.value, "argument": argument, "ids": operation.ids[:STEP]},
    )
    return operation


@transaction.atomic
def operation_abort(*, user: Any, operation_id: int) -> BulkOperation:
    """The operation, asked to stop after the step under way; what is done stays done. Raises NotFound, Conflict."""
    operation = operation_for_read(user, operation_id)
    if not operation.is_open:
        raise Conflict("this operation has ended already", code="already_finished")
    BulkOperation.objects.filter(pk=operation.pk).update(abort_requested=True)
    operation.abort_requested = True
    details = {"done": operation.done, "total": operation.total}
    audit.act(actor=user, action="bulk.stop", target=f"operation {operation.pk}", details=details)
    return operation


def operations_open() -> list[int]:
    """Ids of the operations that nobody works on and that have not ended, oldest first."""
    return list(_unattended(timezone.now()).order_by("pk").values_list("pk", flat=True))


def operation_claim(operation_id: int, worker: str) -> bool:
    """Whether *worker* works on it from now on: nobody else does, or has fallen silent."""
    now = timezone.now()
    taken = {"worker": worker, "heartbeat_at": now, "state": OperationState.WORKING.value}
    return bool(_unattended(now).filter(pk=operation_id).update(**taken))


def _unattended(now: datetime) -> Any:
    silent = Q(heartbeat_at=None) | Q(heartbeat_at__lt=now - ALIVE)
    return BulkOperation.objects.filter(silent, state__in=[state.value for state in OPEN])


@transaction.atomic
def operation_step(operation_id: int, worker: str, perform: Perform) -> bool:
    """Whether there is more to do after some items were worked on.

    The items and how far the operation is are one transaction: after a crash none is lost or done twice.
    """
    operation = BulkOperation.objects.select_for_update().get(pk=operation_id)
    if not operation.is_open or operation.worker != worker:
        return False
    actor = User.objects.filter(pk=operation.actor_id or 0, is_active=True).first()
    if operation.abort_requested or actor is None:
        return _finish(operation, OperationState.ABORTED)
    with (
        audit.during(audit.Origin(request=f"operation:{operation.pk}", commands=operation.use_shell)),
        audit.together(),
    ):
        _work(operation, actor, perform)
    failpoint("bulk.step")
    if operation.done >= operation.total:
        return _finish(operation, OperationState.DONE)
    operation.heartbeat_at = timezone.now()
    operation.save(update_fields=["done", "failed", "failures", "heartbeat_at"])
    return True


def _work(operation: BulkOperation, actor: User, perform: Perform) -> None:
    """The next items, until it takes too long. Each has an audit entry of its own."""
    begun = time.monotonic()
    here = operation.ids[operation.done : operation.done + STEP]
    trees = here if operation.kind == Kind.TREES else Run.objects.filter(pk__in=here).values_list("tree_id", flat=True)
    lock_families(trees, copies=operation.action == Bulk.DELETE)
    names = _names(operation, here)
    for item in here:
        message = _message(perform, actor, operation, item)
        operation.done += 1
        if message:
            operation.failed += 1
            operation.failures.append({"id": item, "name": names.get(item, f"no. {item}"), "message": message})
        if time.monotonic() - begun > STEP_S:
            break
    operation.failures = operation.failures[:KEPT_FAILURES]


def _finish(operation: BulkOperation, state: OperationState) -> bool:
    operation.state = state.value
    operation.ended_at = operation.heartbeat_at = timezone.now()
    operation.save(update_fields=["done", "failed", "failures", "heartbeat_at", "state", "ended_at"])
    return False


def _message(perform: Perform, actor: User, operation: BulkOperation, item: int) -> str:
    try:
        with transaction.atomic(), audit.together():
            perform(actor, operation, item)
    except OrchestrationError as error:
        return error.message[:500]
    except DatabaseError as error:
        return f"could not be stored ({type(error).__name__}): try it alone"
    return ""


def _names(operation: BulkOperation, ids: list[int]) -> dict[int, str]:
    if operation.kind == Kind.TREES:
        return dict(Tree.objects.filter(pk__in=ids).values_list("pk", "name"))
    runs = Run.objects.filter(pk__in=ids).values_list("pk", "tree__name", "number")
    return {pk: f"{name} #{number}" for pk, name, number in runs}
