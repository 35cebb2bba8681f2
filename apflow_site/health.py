"""Probes for a supervisor or load balancer: no login, no detail that a stranger could use."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from orchestration.conf import conf
from orchestration.domain.states import WorkerKind
from orchestration.engine.here import degraded
from orchestration.models import Worker


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200: the process answers. For restarting it."""
    return JsonResponse({"status": "ok"})


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200: the database answers and an engine's last heartbeat is younger than its lease; else 503 and why.

    `degraded`: the engine of this process cannot write at the moment, and tries again.
    """
    if degraded():
        return _answer(503, status="degraded")
    try:
        engines = Worker.objects.filter(stopped_at=None, kind=WorkerKind.ENGINE.value).order_by("-heartbeat_at")
        newest = engines.values_list("heartbeat_at", flat=True).first()
    except DatabaseError:
        return _answer(503, status="database unavailable")
    if newest is None:
        return _answer(503, status="no engine")
    age_s = round(max(0.0, (timezone.now() - newest).total_seconds()), 1)
    late = age_s > conf().lease_s
    return _answer(503 if late else 200, status="engine silent" if late else "ok", engine_heartbeat_age_s=age_s)


def _answer(code: int, **data: Any) -> JsonResponse:
    return JsonResponse(data, status=code)
