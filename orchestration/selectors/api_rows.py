"""The rows behind the API's lists: what a person may read, with what each row shows, in one query."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from orchestration.domain.operations import Bulk, Kind, OperationState
from orchestration.domain.states import Mode, Origin, Status
from orchestration.models import (
    ApiToken,
    Attempt,
    AuditEntry,
    BulkOperation,
    Dependency,
    Run,
    SavedFilter,
    Secret,
    Task,
    Tree,
    TreeShare,
    Trigger,
)
from orchestration.selectors.access import runs_for_read, tasks_for_read, trees_for_read
from orchestration.selectors.api_lists import Filter, Listing, Order, choice, flag, moment, uuid, whole, words

HEAVY = ("inputs", "provenance", "result", "log", "traceback")
DEFINITION = ("inputs", "params", "schemas", "backoff")
NEVER = "never"
STATUSES = tuple(str(s) for s in Status)
ENDS = tuple(s for s in STATUSES if s != Status.PENDING)


def trees(user: Any) -> QuerySet[Tree]:
    """Trees with `root` (task id), `run` (id of the newest run) and `status` (of that run), each None without one."""
    newest = Run.objects.filter(tree=OuterRef("pk"), number=OuterRef("run_count"))
    roots = Task.objects.filter(tree=OuterRef("pk"), parent=None)
    return (
        trees_for_read(user)
        .select_related("owner")
        .annotate(
            root=Subquery(roots.values("pk")[:1]),
            run=Subquery(newest.values("pk")[:1]),
            status=Subquery(newest.values("status")[:1]),
        )
    )


def tasks(user: Any) -> QuerySet[Task]:
    """Tasks without their definition, which may be large."""
    return tasks_for_read(user).defer(*DEFINITION)


def dependencies(user: Any) -> QuerySet[Dependency]:
    """Dependencies."""
    return Dependency.objects.filter(task__tree__in=trees_for_read(user))


def runs(user: Any) -> QuerySet[Run]:
    """Runs with the people in them."""
    return runs_for_read(user).select_related("started_by", "cancelled_by").defer("chosen", "overrides")


def attempts(user: Any) -> QuerySet[Attempt]:
    """Attempts without inputs, result, log and traceback."""
    return Attempt.objects.filter(run__in=runs_for_read(user)).defer(*HEAVY)


def secrets(user: Any) -> QuerySet[Secret]:
    """The secrets of *user*, without their sealed values."""
    return Secret.objects.filter(user=user).defer("sealed")


def tokens(user: Any) -> QuerySet[ApiToken]:
    """The tokens of *user*."""
    return ApiToken.objects.filter(user=user)


def shares(tree: Tree) -> QuerySet[TreeShare]:
    """With whom *tree* is shared."""
    return TreeShare.objects.filter(tree=tree).select_related("user")


def triggers(tree: Tree) -> QuerySet[Trigger]:
    """The triggers of *tree*."""
    return Trigger.objects.filter(tree=tree)


def operations(user: Any) -> QuerySet[BulkOperation]:
    """Operations of *user*, of everybody for staff, without what they are done to."""
    every = BulkOperation.objects.select_related("actor").defer("ids", "failures")
    return every if user.is_staff else every.filter(actor=user)


def filters(user: Any) -> QuerySet[SavedFilter]:
    """The filters that *user* keeps."""
    return SavedFilter.objects.filter(user=user)


def audit_entries() -> QuerySet[AuditEntry]:
    """The whole log."""
    return AuditEntry.objects.all()


def _newest_status(rows: QuerySet[Any], value: str) -> QuerySet[Any]:
    return rows.filter(run_count=0) if value == NEVER else rows.filter(status=value)


def _owner(rows: QuerySet[Any], value: str) -> QuerySet[Any]:
    return rows.filter(owner__username=value)


BY_ID = Filter(whole, lambda rows, v: rows.filter(pk=v), "The one with this id", kind="integer")
BY_UUID = Filter(uuid, lambda rows, v: rows.filter(pk=v), "The one with this id", kind="uuid")
BY_TREE = Filter(whole, lambda rows, v: rows.filter(tree=v), "Of this tree", kind="integer")
BY_RUN = Filter(whole, lambda rows, v: rows.filter(run=v), "Of this run", kind="integer")
BY_TASK = Filter(uuid, lambda rows, v: rows.filter(task=v), "Of this task", kind="uuid")
BY_EXECUTOR = Filter(words, lambda rows, v: rows.filter(executor=v), "Id of the executor")
SEARCH = Filter(words, lambda rows, v: rows.filter(name__icontains=v), "Text in the name")


def _status(choices: tuple[str, ...]) -> Filter:
    return choice(choices, lambda rows, v: rows.filter(status=v), "State")


def _since(column: str) -> Filter:
    return Filter(moment, lambda rows, v: rows.filter(Q((f"{column}__gte", v))), "Not before", kind="date-time")


def _until(column: str) -> Filter:
    return Filter(moment, lambda rows, v: rows.filter(Q((f"{column}__lt", v))), "Before", kind="date-time")


ID = Order("pk", whole)
TREES = Listing(
    filters={
        "id": BY_ID,
        "search": SEARCH,
        "status": choice((*ENDS, NEVER), _newest_status, "State of the newest run"),
        "label": Filter(words, lambda rows, v: rows.filter(labels__icontains=json.dumps(v)), "Has this label"),
        "owner": Filter(words, _owner, "Name of the owner"),
        "archived": Filter(
            flag, lambda rows, v: rows.filter(archived_at__isnull=not v), "Archives, or all but them", kind="boolean"
        ),
        "origin": choice(list(Origin), lambda rows, v: rows.filter(origin_type=v), "How it came to be"),
        "created_since": _since("created_at"),
        "created_before": _until("created_at"),
    },
    orders={
        "id": ID,
        "name": Order("name", str),
        "created_at": Order("created_at", moment),
        "updated_at": Order("updated_at", moment),
    },
    default="-id",
)
TASKS = Listing(
    filters={
        "id": BY_UUID,
        "tree": BY_TREE,
        "run": BY_RUN,
        "parent": Filter(uuid, lambda rows, v: rows.filter(parent=v), "Directly under this task", kind="uuid"),
        "status": _status(STATUSES),
        "executor": BY_EXECUTOR,
        "search": SEARCH,
    },
    orders={
        "position": Order("position", whole),
        "name": Order("name", str),
        "priority": Order("priority", whole),
        "created_at": Order("created_at", moment),
        "updated_at": Order("updated_at", moment),
    },
    default="position",
    pk=uuid,
)
DEPENDENCIES = Listing(
    filters={
        "task": BY_TASK,
        "depends_on": Filter(uuid, lambda rows, v: rows.filter(depends_on=v), "On this task", kind="uuid"),
    },
    orders={"id": ID},
    default="id",
)
RUNS = Listing(
    filters={
        "id": BY_ID,
        "tree": BY_TREE,
        "status": _status(ENDS),
        "mode": choice(list(Mode), lambda rows, v: rows.filter(mode=v), "What part of the tree"),
        "search": Filter(words, lambda rows, v: rows.filter(tree__name__icontains=v), "Text in the tree's name"),
        "started_by": Filter(words, lambda rows, v: rows.filter(started_by__username=v), "Name of who started it"),
        "started_since": _since("started_at"),
        "started_before": _until("started_at"),
    },
    orders={"id": ID, "started_at": Order("started_at", moment)},
    default="-id",
)
ATTEMPTS = Listing(
    filters={"task": BY_TASK, "run": BY_RUN, "status": _status(ENDS), "executor": BY_EXECUTOR},
    orders={"id": ID, "started_at": Order("started_at", moment)},
    default="-id",
)
SHARES = Listing(
    filters={
        "username": Filter(words, lambda rows, v: rows.filter(user__username=v), "Name of the user"),
        "right": choice(
            [right for right, _ in TreeShare.RIGHTS], lambda rows, v: rows.filter(right=v), "What they may"
        ),
    },
    orders={"id": ID},
    default="id",
)
TRIGGERS = Listing(
    filters={
        "name": Filter(words, lambda rows, v: rows.filter(name=v), "Its name"),
        "enabled": Filter(
            flag, lambda rows, v: rows.filter(enabled=v), "Enabled ones, or all but them", kind="boolean"
        ),
    },
    orders={"id": ID, "name": Order("name", str)},
    default="id",
)
TOKENS = Listing(filters={"id": BY_ID}, orders={"id": ID}, default="-id")
SECRETS = Listing(filters={}, orders={"id": ID}, default="id")
AUDIT = Listing(
    filters={
        "actor": Filter(words, lambda rows, v: rows.filter(actor=v), "Name of who did it"),
        "action": Filter(words, lambda rows, v: rows.filter(action=v), "What was done, such as run.start"),
        "target": Filter(words, lambda rows, v: rows.filter(target=v), "What it was done to, such as tree:7"),
        "since": _since("at"),
        "before": _until("at"),
    },
    orders={"seq": ID},
    default="-seq",
)
OPERATIONS = Listing(
    filters={
        "kind": choice(list(Kind), lambda rows, v: rows.filter(kind=v), "What it works on"),
        "action": choice(list(Bulk), lambda rows, v: rows.filter(action=v), "What it does"),
        "state": choice(list(OperationState), lambda rows, v: rows.filter(state=v), "How far it is"),
    },
    orders={"id": ID},
    default="-id",
)
FILTERS = Listing(
    filters={"page": choice(list(Kind), lambda rows, v: rows.filter(page=v), "The list that it is for")},
    orders={"id": ID, "name": Order("name", str)},
    default="id",
)
