"""`/metrics` in the text format of Prometheus, for those who may see figures of the whole installation."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from orchestration.selectors.metrics import Metrics
from orchestration.selectors.metrics import metrics as read_metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
QUANTILES = (0.5, 0.95, 0.99)
Sample = tuple[Mapping[str, str], float]


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures; 404 for those who may not see them, as if there were none."""
    if not _allowed(request):
        raise Http404
    return HttpResponse(text_of(read_metrics(timezone.now())), content_type=CONTENT_TYPE)


def _allowed(request: HttpRequest) -> bool:
    user = request.user
    return settings.METRICS_OPEN or _carries_token(request) or bool(user.is_active and user.is_staff)


def _carries_token(request: HttpRequest) -> bool:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    wanted = settings.METRICS_TOKEN
    same = secrets.compare_digest(given.strip().encode("utf-8", "surrogatepass"), wanted.encode())
    return bool(wanted) and kind.lower() == "bearer" and same


def text_of(found: Metrics) -> str:
    """*found* as text; one family of lines per figure."""
    families = [
        _gauge("apflow_queue_depth", "Tasks that wait for a slot", _by("executor", found.queue)),
        _gauge("apflow_retrying_tasks", "Tasks that wait for their next try", [({}, found.retrying)]),
        _gauge("apflow_slots_used", "Attempts under way", [({}, found.slots.used)]),
        _gauge(
            "apflow_slots_total",
            "Places for attempts in live engines and workers",
            _by("kind", {"process": found.slots.process.total, "async": found.slots.asynchronous.total}),
        ),
        _gauge("apflow_engines", "Engines that are alive", [({}, found.engines)]),
        _gauge("apflow_workers", "Worker processes that are alive", [({}, found.workers)]),
        _gauge("apflow_reports_waiting", "Reports of workers that no engine has taken in", [({}, found.reports)]),
        _gauge("apflow_active_runs", "Runs that have not ended", [({}, found.active_runs)]),
        _gauge("apflow_runs_24h", "Runs that ended in the last 24 hours", _by("outcome", found.runs_24h)),
        _gauge("apflow_attempts_24h", "Attempts that ended in the last 24 hours", _by("outcome", found.attempts_24h)),
        _latency(found.latencies_s),
        _gauge("apflow_database_bytes", "Size of the database", [({}, found.database_bytes)]),
        _gauge("apflow_events_estimate", "Events written since the beginning, about", [({}, found.events)]),
    ]
    if found.heartbeat_age_s is not None:
        text = "Seconds since the newest sign of life of an engine"
        families.append(_gauge("apflow_engine_heartbeat_age_seconds", text, [({}, found.heartbeat_age_s)]))
    return "".join(families)


def _by(label: str, counts: Mapping[str, int]) -> list[Sample]:
    return [({label: key}, number) for key, number in sorted(counts.items())]


def _gauge(name: str, text: str, samples: Iterable[Sample], kind: str = "gauge") -> str:
    lines = [f"# HELP {name} {text}.", f"# TYPE {name} {kind}"]
    lines += [f"{name}{_labels(labels)} {value:g}" if value < 1e6 else _large(name, labels, value)
              for labels, value in samples]  # fmt: skip
    return "\n".join(lines) + "\n"


def _large(name: str, labels: Mapping[str, str], value: float) -> str:
    return f"{name}{_labels(labels)} {int(value)}"


def _latency(ascending: tuple[float, ...]) -> str:
    name, count = "apflow_step_latency_seconds", len(ascending)
    shown = _gauge(
        name,
        "From ready to started, over the newest events",
        [({"quantile": f"{q:g}"}, ascending[min(count - 1, int(q * count))]) for q in QUANTILES if count],
        kind="summary",
    )
    return f"{shown}{name}_sum {sum(ascending):g}\n{name}_count {count}\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    """A label's value: no text of a user can end the label or its line."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", " ")
