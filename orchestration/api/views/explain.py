"""Answers to why: a task that waits, a run that failed, a run that is to come, two runs side by side."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.base import ApiView, only_known
from orchestration.api.schema import described, query
from orchestration.api.shapes import MODES, Shape
from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.states import Mode
from orchestration.selectors import access
from orchestration.selectors.api_lists import Unfit, uuid, whole
from orchestration.selectors.explain import compare, dry_run_of, explain_run, explain_task

IDS = frozenset({"task", "task_id", "next", "depends_on", "id", "id_a", "id_b", "key"})
LISTS_OF_IDS = frozenset({"waves", "order", "critical_path", "blocked_ids", "moved"})
KEYED_BY_ID = frozenset({"slack", "times", "decisions"})
HEX = re.compile(r"[0-9a-f]{32}")
MAX_CHOSEN = 400  # an address has no room for more
SOME_IDS: dict[str, Any] = {"pattern": "^[0-9A-Fa-f,-]*$", "minLength": 0, "maxLength": 37 * MAX_CHOSEN}


class TaskWhyShape(Shape):
    why = serializers.JSONField(help_text="headline, chain of causes, place in the queue, remedies")
    verdicts = serializers.JSONField(help_text="One per dependency")
    origins = serializers.JSONField(help_text="Where each input came from")


class RunWhyShape(Shape):
    causes = serializers.JSONField(help_text="Tasks that ended badly by themselves")
    path = serializers.JSONField(help_text="The critical path: steps, total_s, queue_s, slack")
    verdicts = serializers.JSONField()


class DryRunShape(Shape):
    forecast = serializers.JSONField(help_text="waves, order, times, critical_path, total_s ...")
    decisions = serializers.JSONField(help_text="Task id -> runs or reused, and why")
    slots = serializers.JSONField()
    engine_alive = serializers.BooleanField()


class ComparisonShape(Shape):
    comparison = serializers.JSONField(help_text="differences, only_a, only_b, moved, first, same, summary")
    run_a = serializers.IntegerField()
    run_b = serializers.IntegerField()


def plain(value: Any, name: str = "") -> Any:
    """*value* as JSON data; ids of tasks are written as UUIDs, as everywhere in the API."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name), f.name) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        ids = name in KEYED_BY_ID
        return {dashed(str(key)) if ids else str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, name) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    return dashed(value) if isinstance(value, str) and name in IDS | LISTS_OF_IDS else value


def dashed(text: str) -> str:
    """*text* with dashes if it is 32 hex digits."""
    return str(UUID(text)) if HEX.fullmatch(text) else text


class TaskExplain(ApiView):
    @described("task_explain", "Why a task waits, or will never run", TaskWhyShape)
    def get(self, request: Request, task_id: UUID) -> Response:
        access.task_for_read(request.user, task_id)
        only_known(request)
        found = explain_task(request.user, task_id)
        return Response({"why": plain(found.why), "verdicts": plain(found.verdicts), "origins": plain(found.origins)})


class RunExplain(ApiView):
    @described("run_explain", "Root causes and critical path of a run", RunWhyShape)
    def get(self, request: Request, run_id: int) -> Response:
        access.run_for_read(request.user, run_id)
        only_known(request)
        found = explain_run(request.user, run_id)
        return Response({"causes": plain(found.causes), "path": plain(found.path), "verdicts": plain(found.verdicts)})


class TreeDryRun(ApiView):
    @described(
        "tree_dry_run", "What a run would do, and how long it would take", DryRunShape, conflicts=[409],
        parameters=[
            query("mode", "all unless told", choices=MODES),
            query("chosen", f"At most {MAX_CHOSEN} task ids, separated by commas", **SOME_IDS),
        ],
    )  # fmt: skip
    def get(self, request: Request, tree_id: int) -> Response:
        access.tree_for_read(request.user, tree_id)
        only_known(request, "mode", "chosen")
        params = request.query_params
        chosen = [_read("chosen", uuid, text) for text in params.get("chosen", "").split(",") if text]
        if len(chosen) > MAX_CHOSEN:
            raise Invalid(
                [Problem("chosen", f"{len(chosen)} tasks; at most {MAX_CHOSEN} can be asked for", "too_many")]
            )
        found = dry_run_of(request.user, tree_id, params.get("mode", str(Mode.ALL)), chosen)
        forecast = plain(found.forecast)
        forecast["blocked"] = [dashed(task) for task in found.forecast.blocked]
        decisions = {dashed(task): plain(decision) for task, decision in found.decisions.items()}
        return Response({
            "forecast": forecast,
            "decisions": decisions,
            "slots": plain(found.slots),
            "engine_alive": found.engine_alive,
        })  # fmt: skip


class Compare(ApiView):
    @described(
        "run_compare", "How run b differs from run a", ComparisonShape,
        parameters=[
            query("a", "Id of a run", "integer", required=True),
            query("b", "Id of another run", "integer", required=True),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        only_known(request, "a", "b")
        missing = [name for name in ("a", "b") if name not in request.query_params]
        if missing:
            raise Invalid([Problem(missing[0], "name two runs: ?a=1&b=2", "required")])
        a, b = (_read(name, whole, request.query_params[name]) for name in ("a", "b"))
        found = compare(request.user, a, b)
        return Response({"comparison": plain(found.comparison), "run_a": found.run_a.pk, "run_b": found.run_b.pk})


def _read(name: str, reader: Any, text: str) -> Any:
    try:
        return reader(text)
    except Unfit as error:
        raise Invalid([Problem(name, f"{name} {error}", error.code)]) from None
