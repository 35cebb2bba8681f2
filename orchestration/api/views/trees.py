"""Trees: made, listed, changed, deleted, imported, exported."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.base import ApiView, Done, if_match, only_known, require_match
from orchestration.api.bodies import ImportBody, LimitBody, TreeBody, TreeChangeBody
from orchestration.api.schema import IF_MATCH, described, query
from orchestration.api.shapes import DependencyShape, NewTreeShape, ProblemShape, Shape, TaskShape, TreeShape
from orchestration.builders.array import spec_from_array, spec_from_text
from orchestration.builders.export import array_from_tree
from orchestration.domain.errors import Conflict, Invalid, Problem
from orchestration.domain.spec import TreeSpec
from orchestration.domain.task_fields import check_labels
from orchestration.models import Tree
from orchestration.selectors import access, api_rows
from orchestration.selectors.api_lists import Unfit, flag
from orchestration.services import throttle
from orchestration.services.locking import lock_tree
from orchestration.services.queue import tree_limit
from orchestration.services.trees import tree_create, tree_delete, tree_label, tree_rename

EXAMPLE = {
    "tasks": [
        {"name": "Report"},
        {"name": "load", "parent_id": "Report", "executor": "noop"},
        {"name": "send", "parent_id": "Report", "executor": "noop", "dependencies": [{"name": "load"}]},
    ],
    "labels": ["daily"],
}
STATE = query("state", "With ids, state, results and times", "boolean")


class ImportPreviewShape(Shape):
    preview = serializers.BooleanField(help_text="true: nothing was stored")
    name = serializers.CharField()
    task_count = serializers.IntegerField()
    warnings = ProblemShape(many=True)


def tree_data(user: Any, tree_id: int, shape: type[TreeShape] = TreeShape, **context: Any) -> Any:
    """The tree as it is answered."""
    return shape(api_rows.trees(user).get(pk=tree_id), context=context).data


def created(user: Any, tree: Tree, warnings: list[Problem] | None = None) -> Done:
    """What a request that has made *tree* answers."""
    listed = [{"path": p.path, "message": p.message, "code": p.code} for p in warnings or []]
    data = tree_data(user, tree.pk, NewTreeShape, warnings=listed)
    return Done(data, f"tree:{tree.pk}", {"tasks": tree.task_count}, f"/api/v1/trees/{tree.pk}/")


class TreeList(ApiView):
    @described("tree_list", "Trees that you may see", TreeShape, listing=api_rows.TREES)
    def get(self, request: Request) -> Response:
        return self.listed(api_rows.trees(request.user), api_rows.TREES, TreeShape)

    @described("tree_create", "Create a tree from its tasks", NewTreeShape, status=201, body=TreeBody, example=EXAMPLE)
    def post(self, request: Request) -> Response:
        access.require_create(request.user)
        spec = strict_spec(request.data)
        return self.commit(
            "tree.create",
            lambda: created(request.user, tree_create(owner=self.user, spec=spec), spec.warnings),
            status=201,
        )


class TreeDetail(ApiView):
    @described("tree_get", "One tree", TreeShape, selectable=True)
    def get(self, request: Request, tree_id: int) -> Response:
        access.tree_for_read(request.user, tree_id)
        row = api_rows.trees(request.user).get(pk=tree_id)
        return self.shown(TreeShape, row, etag=row.version)

    @described("tree_update", "Rename or label a tree", TreeShape, body=TreeChangeBody, parameters=[IF_MATCH])
    def patch(self, request: Request, tree_id: int) -> Response:
        access.tree_for_write(request.user, tree_id)
        changes = self.body(TreeChangeBody)
        expected = if_match(request)
        return self.commit("tree.update", lambda: self._change(tree_id, changes, expected))

    @described("tree_delete", "Delete a tree with its runs", None, status=204, writes=True)
    def delete(self, request: Request, tree_id: int) -> Response:
        name = access.tree_for_write(request.user, tree_id).name

        def do() -> Done:
            tree_delete(user=self.user, tree_id=tree_id)
            return Done(None, f"tree:{tree_id}", {"name": name})

        return self.commit("tree.delete", do, status=204)

    def _change(self, tree_id: int, changes: dict[str, Any], expected: int | None) -> Done:
        user = self.user
        tree = lock_tree(tree_id)
        require_match(expected, tree.version, "tree")
        if changes.get("version", tree.version) != tree.version:
            message = f"the tree was changed meanwhile (now version {tree.version}): reload, then change it again"
            raise Conflict(message, code="stale_version", field="version")
        if "name" in changes:
            tree_rename(user=user, tree_id=tree_id, name=changes["name"])
        if "labels" in changes:
            tree_label(user=user, tree_id=tree_id, labels=changes["labels"])
        fields = sorted(changes.keys() - {"version"})
        return Done(tree_data(user, tree_id), f"tree:{tree_id}", {"fields": fields})


class TreeLimit(ApiView):
    @described("tree_limit", "Limit how many tasks of a run are at work", TreeShape, body=LimitBody)
    def post(self, request: Request, tree_id: int) -> Response:
        access.tree_for_write(request.user, tree_id)
        limit = self.body(LimitBody)["max_parallel"]

        def do() -> Done:
            tree_limit(user=request.user, tree_id=tree_id, max_parallel=limit)
            return Done(tree_data(request.user, tree_id), f"tree:{tree_id}", {"max_parallel": limit})

        return self.commit("tree.limit", do)


class TreeTasks(ApiView):
    @described("tree_task_list", "The tasks of a tree in outline order", TaskShape, listing=api_rows.TASKS)
    def get(self, request: Request, tree_id: int) -> Response:
        tree = access.tree_for_read(request.user, tree_id)
        return self.listed(api_rows.tasks(request.user).filter(tree=tree), api_rows.TASKS, TaskShape)


class TreeDependencies(ApiView):
    @described("tree_dependency_list", "What waits for what", DependencyShape, listing=api_rows.DEPENDENCIES)
    def get(self, request: Request, tree_id: int) -> Response:
        tree = access.tree_for_read(request.user, tree_id)
        rows = api_rows.dependencies(request.user).filter(task__tree=tree)
        return self.listed(rows, api_rows.DEPENDENCIES, DependencyShape)


class TreeImport(ApiView):
    @described(
        "tree_import", "Create a tree from JSON or YAML text", NewTreeShape, status=201, body=ImportBody,
        also={200: ImportPreviewShape}, example={"text": "- name: hello\n  executor: noop\n", "format": "yaml"},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        access.require_create(request.user)
        asked = self.body(ImportBody)
        spec = spec_from_text(asked["text"], format=asked["format"], keep_ids=asked["keep_ids"])
        problems: list[Problem] = []
        labels = check_labels(asked["labels"], "labels", problems)
        if problems:
            raise Invalid(problems)
        if asked["preview"]:
            warnings = [{"path": p.path, "message": p.message, "code": p.code} for p in spec.warnings]
            return Response({"preview": True, "name": spec.name, "task_count": len(spec.tasks), "warnings": warnings})

        def do() -> Done:
            tree = tree_create(owner=self.user, spec=spec, labels=labels, action="tree.import")
            return created(request.user, tree, spec.warnings)

        return self.commit("tree.import", do, status=201)


class TreeExport(ApiView):
    @described("tree_export", "The tree as an array that creates it again", list[dict[str, Any]], parameters=[STATE])
    def get(self, request: Request, tree_id: int) -> Response:
        tree = access.tree_for_read(request.user, tree_id)
        only_known(request, "state")
        try:
            state = flag(request.query_params.get("state", "false"))
        except Unfit as error:
            raise Invalid([Problem("state", f"state {error}", error.code)]) from None
        with transaction.atomic():
            throttle.write_allowed(request.user)
            self.note("tree.export", f"tree:{tree.pk}", {"state": state})
        return Response(array_from_tree(tree, state=state))


def strict_spec(data: Any) -> TreeSpec:
    """The tree of a request. Raises Invalid, also for what an import would leave out: a client may not set state."""
    spec = spec_from_array(data)
    left_out = [w for w in spec.warnings if w.code == "not_imported"]
    if left_out:
        message = "state is read-only: " + left_out[0].message.partition(";")[0]
        raise Invalid([Problem(left_out[0].path, message, "unknown_field")])
    return spec
