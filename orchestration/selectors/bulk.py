"""Reads for actions on many trees or runs: what is chosen, and what of it will be refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery

from orchestration.domain.errors import Forbidden, NotFound, OrchestrationError
from orchestration.domain.operations import ALLOWED, PERMISSION, Bulk, Candidate, Kind, refusal
from orchestration.domain.states import Status
from orchestration.domain.words import gettext
from orchestration.models import BulkOperation, Run, Task, Tree, TreeShare

NAMED = 10
NAMED_REFUSED = 3


@dataclass(frozen=True, slots=True)
class Refused:
    """Things that are left out for the same reason."""

    reason: str
    count: int
    names: tuple[str, ...]  # the first ones


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """What an action would do."""

    total: int
    ids: tuple[int, ...]  # those that it would be done to
    names: tuple[str, ...]  # the first of them
    refused: tuple[Refused, ...]
    newest: int  # the highest id that was chosen: what comes later is not meant

    @property
    def refused_count(self) -> int:
        return self.total - len(self.ids)


def bulk_preview(*, user: Any, kind: Kind, action: Bulk, chosen: QuerySet[Tree] | QuerySet[Run]) -> BulkPreview:
    """What *action* would do to *chosen*, rows that *user* may read. At most three queries, whatever the number.

    Raises Forbidden (no role for it), OrchestrationError (no such action on this kind).
    """
    if action not in ALLOWED[kind]:
        raise OrchestrationError(f"'{action}' cannot be done to {kind}", field="action")
    if not user.has_perm(PERMISSION[action]):
        raise Forbidden(f"your role does not allow you to {action}: ask an administrator for the operator role")
    items = _trees(user, action, chosen) if kind is Kind.TREES else _runs(user, chosen)
    return _sorted_out(action, items)


def operation_for_read(user: Any, operation_id: int) -> BulkOperation:
    """The operation, for the one who asked for it and for staff. Raises NotFound."""
    found = BulkOperation.objects.select_related("actor").filter(pk=operation_id).first()
    if found is None or not (found.actor_id == user.pk or user.is_staff):
        raise NotFound(f"no operation {operation_id}")
    return found


def operations(user: Any, limit: int = 50) -> list[BulkOperation]:
    """The newest operations of *user*, of everybody for staff."""
    every = BulkOperation.objects.select_related("actor").defer("ids", "failures")
    return list((every if user.is_staff else every.filter(actor=user))[:limit])


def _sorted_out(action: Bulk, items: Iterable[Candidate]) -> BulkPreview:
    ids: list[int] = []
    names: list[str] = []
    refused: dict[str, list[str]] = defaultdict(list)
    total = newest = 0
    for item in items:
        total, newest = total + 1, max(newest, item.id)
        reason = refusal(action, item)
        if reason:
            refused[reason].append(item.name)
        else:
            ids.append(item.id)
            names += [item.name] * (len(names) < NAMED)
    told = [Refused(gettext(reason), len(found), tuple(found[:NAMED_REFUSED])) for reason, found in refused.items()]
    return BulkPreview(total, tuple(ids), tuple(names), tuple(told), newest)


def _shared_for_run(user: Any) -> set[int]:
    return set(TreeShare.objects.filter(user=user, right=TreeShare.RUN).values_list("tree_id", flat=True))


def _linked() -> set[int]:
    links = Task.objects.exclude(linked_attempt=None).exclude(linked_attempt__task__tree=F("tree"))
    return set(links.values_list("linked_attempt__task__tree_id", flat=True))


def _trees(user: Any, action: Bulk, chosen: QuerySet[Any]) -> Iterable[Candidate]:
    newest = Run.objects.filter(tree=OuterRef("pk"), number=OuterRef("run_count")).values("status")[:1]
    rows = chosen.annotate(last=Subquery(newest)).order_by("-pk")
    shared, linked = _shared_for_run(user), _linked() if action is Bulk.DELETE else set()
    for pk, name, owner, archived_at, last in rows.values_list("pk", "name", "owner_id", "archived_at", "last"):
        owned = user.is_superuser or owner == user.pk
        yield Candidate(
            id=pk,
            name=name,
            owned=owned,
            may_run=owned or pk in shared,
            archived=archived_at is not None,
            status=last or "",
            active=last == Status.IN_PROGRESS,
            linked=pk in linked,
        )


def _runs(user: Any, chosen: QuerySet[Any]) -> Iterable[Candidate]:
    shared = _shared_for_run(user)
    newest = Run.objects.filter(tree=OuterRef("tree"), number=OuterRef("tree__run_count")).values("status")[:1]
    rows = chosen.annotate(last=Subquery(newest)).order_by("-pk")
    columns = ("pk", "number", "tree__run_count", "status", "last", "tree_id", "tree__name")
    more = ("tree__owner_id", "tree__archived_at")
    for pk, number, count, status, last, tree, name, owner, archived_at in rows.values_list(*columns, *more):
        owned = user.is_superuser or owner == user.pk
        yield Candidate(
            id=pk,
            name=f"{name} #{number}",
            owned=owned,
            may_run=owned or tree in shared,
            archived=archived_at is not None,
            status=status,
            active=last == Status.IN_PROGRESS,
            newest=number == count,
        )
