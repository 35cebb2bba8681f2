"""New trees out of tasks: copies, links, archives, and mixes of them; each can be looked at first."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.base import ApiView
from orchestration.api.bodies import ArchiveBody, CopyBody, LinkBody, MixedBody
from orchestration.api.schema import described
from orchestration.api.shapes import Shape, TreeShape
from orchestration.api.views.trees import created
from orchestration.builders.archive import preview_archive, tree_archive
from orchestration.builders.copy import preview_copy, tree_copy
from orchestration.builders.link import preview_link, tree_link
from orchestration.builders.mixed import preview_mixed, tree_mixed
from orchestration.builders.preview import ClonePreview
from orchestration.models import Tree
from orchestration.selectors import access


class PreviewTaskShape(Shape):
    source_id = serializers.UUIDField()
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=["copy", "link", "archived"])
    depth = serializers.IntegerField()
    why = serializers.CharField()
    changed = serializers.ListField(child=serializers.CharField())


class PreviewShape(Shape):
    preview = serializers.BooleanField(help_text="true: nothing was stored")
    tasks = PreviewTaskShape(many=True)
    warnings = serializers.ListField(child=serializers.CharField())
    counts = serializers.DictField(child=serializers.IntegerField())


PREVIEWED = {200: PreviewShape}


class CloneView(ApiView):
    """What the four have in common."""

    def make(
        self, action: str, asked: dict[str, Any], do: Callable[..., Tree], show: Callable[..., ClonePreview]
    ) -> Response:
        """The new tree, or with `preview` what it would be."""
        user: Any = self.request.user
        access.require_create(user)
        if asked.pop("preview"):
            return Response(preview_data(show(user=user, **asked)))
        return self.commit(action, lambda: created(user, do(user=user, **asked)), status=201)


def preview_data(preview: ClonePreview) -> dict[str, Any]:
    """*preview* as JSON data."""
    data = dataclasses.asdict(preview)
    for task in data["tasks"]:
        task["source_id"] = str(UUID(task["source_id"]))
    return {"preview": True, **data}


class TaskCopy(CloneView):
    @described("task_copy", "Copy a task and what is under it", TreeShape, status=201, body=CopyBody, also=PREVIEWED)
    def post(self, request: Request, task_id: UUID) -> Response:
        access.task_for_read(request.user, task_id)
        return self.make("tree.copy", {"task_id": task_id, **self.body(CopyBody)}, tree_copy, preview_copy)


class TaskLink(CloneView):
    @described("task_link", "Link to finished work", TreeShape, status=201, body=LinkBody, also=PREVIEWED)
    def post(self, request: Request, task_id: UUID) -> Response:
        access.task_for_read(request.user, task_id)
        return self.make("tree.link", {"task_id": task_id, **self.body(LinkBody)}, tree_link, preview_link)


class TaskArchive(CloneView):
    @described("task_archive", "Freeze finished work", TreeShape, status=201, body=ArchiveBody, also=PREVIEWED)
    def post(self, request: Request, task_id: UUID) -> Response:
        access.task_for_read(request.user, task_id)
        return self.make("tree.archive", {"task_id": task_id, **self.body(ArchiveBody)}, tree_archive, preview_archive)


class TaskMixed(CloneView):
    @described("task_mixed", "Copy, but link some tasks", TreeShape, status=201, body=MixedBody, also=PREVIEWED)
    def post(self, request: Request, task_id: UUID) -> Response:
        access.task_for_read(request.user, task_id)
        return self.make("tree.mixed", {"task_id": task_id, **self.body(MixedBody)}, tree_mixed, preview_mixed)
