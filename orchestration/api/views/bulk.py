"""The same action on many trees, each with its own outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.authentication import require_scope
from orchestration.api.base import ApiView, Done, filter_params
from orchestration.api.bodies import MAX_IDS, BulkBody
from orchestration.api.schema import described
from orchestration.api.shapes import Shape
from orchestration.builders.archive import tree_archive
from orchestration.domain.errors import AlreadyFinished, OrchestrationError
from orchestration.models import Task
from orchestration.models.token import ADMIN
from orchestration.selectors import access, api_rows
from orchestration.selectors.api_lists import page_of, read_query
from orchestration.selectors.trees import active_run
from orchestration.services import audit
from orchestration.services.locking import lock_families
from orchestration.services.runs import run_cancel, run_start
from orchestration.services.trees import tree_delete


class BulkItemShape(Shape):
    id = serializers.IntegerField()
    ok = serializers.BooleanField()
    run = serializers.IntegerField(required=False, help_text="Started or cancelled")
    tree = serializers.IntegerField(required=False, help_text="The new archive")
    code = serializers.CharField(required=False)
    message = serializers.CharField(required=False)


class BulkShape(Shape):
    preview = serializers.BooleanField()
    done = serializers.IntegerField()
    refused = serializers.IntegerField()
    more = serializers.BooleanField(help_text=f"The filter fits more than {MAX_IDS} trees: repeat the request")
    items = BulkItemShape(many=True)


class TreeBulk(ApiView):
    scopes = {"POST": "run"}  # deleting and archiving need more, see post

    @described(
        "tree_bulk", "Run, cancel, delete or archive many trees", BulkShape, body=BulkBody,
        example={"action": "run", "filter": {"label": "daily"}, "preview": True},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        asked = self.body(BulkBody)
        if asked["action"] in ("delete", "archive"):
            require_scope(request, ADMIN)
        ids, more = self._ids(asked)
        action = f"tree.bulk.{asked['action']}"

        def do() -> Done:
            seen = access.trees_for_read(self.user).filter(pk__in=ids).values_list("pk", flat=True)
            lock_families(seen, copies=asked["action"] == "delete")
            items = [self._one(asked, tree_id) for tree_id in ids]
            done = sum(item["ok"] for item in items)
            counts = {"preview": asked["preview"], "done": done, "refused": len(items) - done, "more": more}
            details = {"action": asked["action"], "done": [i["id"] for i in items if i["ok"]]}
            self.note(action, "", details)  # and each tree has an entry of its own
            return Done({**counts, "items": items})

        if not asked["preview"]:
            return self.commit(action, do)
        with transaction.atomic():
            with audit.together():
                shown = do().data
            transaction.set_rollback(True)
        return Response(shown)

    def _ids(self, asked: dict[str, Any]) -> tuple[list[int], bool]:
        if "ids" in asked:
            return list(dict.fromkeys(asked["ids"])), False
        params = filter_params(asked["filter"], "trees")
        params["page_size"] = str(MAX_IDS)
        page = page_of(api_rows.trees(self.request.user), read_query(params, api_rows.TREES), api_rows.TREES)
        return [tree.pk for tree in page.items], page.next is not None

    def _one(self, asked: dict[str, Any], tree_id: int) -> dict[str, Any]:
        """The outcome for one tree. A preview does it too, and takes it back."""
        try:
            with transaction.atomic(), audit.together():
                made = ACTIONS[asked["action"]](self.request.user, tree_id, asked)
                transaction.set_rollback(asked["preview"])
        except OrchestrationError as error:
            return {"id": tree_id, "ok": False, "code": error.code, "message": error.message}
        return {"id": tree_id, "ok": True, **({} if asked["preview"] else made)}


def _run(user: Any, tree_id: int, asked: dict[str, Any]) -> dict[str, Any]:
    return {"run": run_start(user=user, tree_id=tree_id, mode=asked["mode"]).pk}


def _cancel(user: Any, tree_id: int, asked: dict[str, Any]) -> dict[str, Any]:
    run = active_run(access.tree_for_cancel(user, tree_id))
    if run is None:
        raise AlreadyFinished("no run of this tree is active")
    return {"run": run_cancel(user=user, run_id=run.pk, reason=asked["reason"]).pk}


def _delete(user: Any, tree_id: int, asked: dict[str, Any]) -> dict[str, Any]:
    tree_delete(user=user, tree_id=tree_id)
    return {}


def _archive(user: Any, tree_id: int, asked: dict[str, Any]) -> dict[str, Any]:
    access.require_create(user)
    tree = access.tree_for_read(user, tree_id)
    root = Task.objects.get(tree=tree, parent=None)
    return {"tree": tree_archive(user=user, task_id=root.pk).pk}


ACTIONS: dict[str, Callable[[Any, int, dict[str, Any]], dict[str, Any]]] = {
    "run": _run,
    "cancel": _cancel,
    "delete": _delete,
    "archive": _archive,
}
