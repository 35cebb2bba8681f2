"""What there is besides trees and runs: executors, the queue, workers, oneself, and the way to all of it."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.base import ApiView, Done, only_known
from orchestration.api.personal_shapes import MeBody
from orchestration.api.schema import described, page_shape
from orchestration.api.shapes import ExecutorShape, MeShape, Shape, TaskShape, WorkerShape
from orchestration.domain.errors import NotFound
from orchestration.executors.base import Executor
from orchestration.executors.registry import all_executors, find
from orchestration.models import ApiToken
from orchestration.selectors import overview
from orchestration.selectors.saved import profile_of
from orchestration.services.saved import profile_save

RESOURCES = (
    "trees", "tasks", "runs", "operations", "filters", "executors", "queue", "workers", "tokens", "webhooks", "audit",
    "me", "compare", "schema",
)  # fmt: skip


class RootShape(Shape):
    resources = serializers.DictField(child=serializers.CharField())


class Root(ApiView):
    @described("root", "Where everything is", RootShape)
    def get(self, request: Request) -> Response:
        return Response({"resources": {name: f"{request.path}{name}/" for name in RESOURCES}})


class ExecutorList(ApiView):
    @described("executor_list", "The executors of this server", page_shape(ExecutorShape))
    def get(self, request: Request) -> Response:
        only_known(request)
        return Response({"items": ExecutorShape(all_executors(), many=True).data, "next": None})


class ExecutorDetail(ApiView):
    @described("executor_get", "One executor with its schemas", ExecutorShape, selectable=True)
    def get(self, request: Request, executor_id: str) -> Response:
        found: Executor | None = find(executor_id)
        if found is None:
            raise NotFound("no such executor")
        return self.shown(ExecutorShape, found)


class Queue(ApiView):
    @described("queue_list", "Ready tasks in the order in which they will start, at most 200", page_shape(TaskShape))
    def get(self, request: Request) -> Response:
        only_known(request)
        return Response({"items": TaskShape(overview.queue(request.user), many=True).data, "next": None})


class WorkerList(ApiView):
    @described("worker_list", "Processes that run attempts, newest first, at most 50", page_shape(WorkerShape))
    def get(self, request: Request) -> Response:
        only_known(request)
        now, load = timezone.now(), overview.worker_load()
        found: list[Any] = overview.workers(now)
        for worker in found:
            worker.running = load.get(worker.pk, 0)
            worker.alive = worker.stopped_at is None and now - worker.heartbeat_at <= overview.ALIVE
        return Response({"items": WorkerShape(found, many=True).data, "next": None})


class Me(ApiView):
    @described("me", "Who you are and what you may do", MeShape)
    def get(self, request: Request) -> Response:
        only_known(request)
        return Response(self._data())

    @described("me_update", "Choose the time zone of your pages", MeShape, body=MeBody)
    def patch(self, request: Request) -> Response:
        zone = self.body(MeBody)["time_zone"]

        def do() -> Done:
            profile_save(user=self.user, time_zone=zone)
            return Done(self._data(), f"user:{self.user.pk}", {"time_zone": zone})

        return self.commit("profile.update", do)

    def _data(self) -> dict[str, Any]:
        user, token = self.user, self.request.auth
        return {
            "id": user.pk,
            "username": user.get_username(),
            "roles": sorted(user.groups.values_list("name", flat=True)),
            "is_staff": user.is_staff,
            "may_create": user.has_perm("orchestration.add_tree"),
            "may_run": user.has_perm("orchestration.run_tree"),
            "scope": token.scope if isinstance(token, ApiToken) else None,
            "time_zone": profile_of(user).time_zone,
        }


class Unknown(ApiView):
    """Whatever has no address here."""

    permission_classes = [AllowAny]
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise NotFound("there is nothing here: GET /api/v1/ lists the addresses")
