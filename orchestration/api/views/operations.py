"""Actions on many trees or runs: looked at first, accepted at once, worked on by the server, stoppable."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.authentication import require_scope
from orchestration.api.base import ApiView, Done, filter_params
from orchestration.api.bodies import NoBody
from orchestration.api.personal_shapes import (
    OperationBody,
    OperationDetailShape,
    OperationPreviewShape,
    OperationShape,
)
from orchestration.api.schema import described
from orchestration.builders.bulk import worker
from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.operations import PERMISSION, Bulk, Kind
from orchestration.domain.task_fields import check_labels
from orchestration.models import BulkOperation
from orchestration.models.token import ADMIN
from orchestration.selectors import access, api_rows
from orchestration.selectors.api_lists import Listing, matching, read_query
from orchestration.selectors.bulk import BulkPreview, bulk_preview, operation_for_read
from orchestration.services.bulk import operation_abort, operation_create

FREE = frozenset(action for action, right in PERMISSION.items() if right == PERMISSION[Bulk.RUN])
LISTS: dict[Kind, tuple[Any, Listing]] = {
    Kind.TREES: (api_rows.trees, api_rows.TREES),
    Kind.RUNS: (api_rows.runs, api_rows.RUNS),
}


class OperationList(ApiView):
    scopes = {"POST": "run"}  # what changes trees needs more, see post

    @described(
        "operation_list", "Actions on many rows: your own, for staff everybody's", OperationShape,
        listing=api_rows.OPERATIONS,
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        return self.listed(api_rows.operations(request.user), api_rows.OPERATIONS, OperationShape)

    @described(
        "operation_create", "Do one thing to many trees or runs; the server works it off", OperationDetailShape,
        status=202, body=OperationBody, also={200: OperationPreviewShape},
        example={"kind": "runs", "action": "cancel", "filter": {"status": "in_progress"}, "preview": True},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        asked = self.body(OperationBody)
        kind, action = Kind(asked["kind"]), Bulk(asked["action"])
        if action not in FREE:
            require_scope(request, ADMIN)
        argument = _label(asked["argument"]) if action is Bulk.LABEL else ""
        found = bulk_preview(user=self.user, kind=kind, action=action, chosen=_chosen(self.user, kind, asked))
        if asked["preview"]:
            return Response(_preview(found))

        def do() -> Done:
            words = {"query": _query(asked), "reason": asked["reason"], "argument": argument}
            made = operation_create(user=self.user, kind=kind, action=action, found=found, **words)
            return Done(OperationDetailShape(made).data, f"operation {made.pk}", {}, _address(made))

        response = self.commit("bulk.create", do, status=202)
        worker.wake()
        return response


class OperationDetail(ApiView):
    @described("operation_get", "How far one is, and what failed", OperationDetailShape, selectable=True)
    def get(self, request: Request, operation_id: int) -> Response:
        found = operation_for_read(request.user, operation_id)
        if found.is_open:
            worker.wake()  # one that a crash has left is taken up again
        return self.shown(OperationDetailShape, found)


class OperationStop(ApiView):
    scopes = {"POST": "run"}

    @described(
        "operation_stop", "Stop after the step under way; what is done stays done", OperationDetailShape, body=NoBody
    )
    def post(self, request: Request, operation_id: int) -> Response:
        operation_for_read(request.user, operation_id)
        self.body(NoBody)

        def do() -> Done:
            found = operation_abort(user=self.user, operation_id=operation_id)
            return Done(OperationDetailShape(found).data, f"operation {found.pk}")

        response = self.commit("bulk.stop", do)
        worker.wake()
        return response


def _address(operation: BulkOperation) -> str:
    return f"/api/v1/operations/{operation.pk}/"


def _label(text: str) -> str:
    problems: list[Problem] = []
    labels = check_labels([text.strip()], "argument", problems)
    if problems:
        raise Invalid(problems)
    return labels[0]


def _chosen(user: Any, kind: Kind, asked: dict[str, Any]) -> QuerySet[Any]:
    if "ids" in asked:
        every: QuerySet[Any] = access.trees_for_read(user) if kind is Kind.TREES else access.runs_for_read(user)
        return every.filter(pk__in=asked["ids"])
    rows, listing = LISTS[kind]
    params = filter_params(asked["filter"], kind)
    return matching(rows(user), read_query(params, listing))


def _query(asked: dict[str, Any]) -> str:
    """What the operation's page shows as the filter; empty for ids."""
    return filter_params(asked.get("filter", {}), asked["kind"]).urlencode()


def _preview(found: BulkPreview) -> dict[str, Any]:
    refused = [{"reason": one.reason, "count": one.count, "examples": list(one.names)} for one in found.refused]
    return {"preview": True, "total": len(found.ids), "examples": list(found.names), "refused": refused}
