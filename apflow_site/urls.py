"""Where everything is mounted."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from apflow_site import health, metrics
from orchestration import streams

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("", include("orchestration.api.urls")),
    path("api/v1/runs/<int:run_id>/events/", streams.run_events, name="run_events"),
    path("", include("orchestration.rpc.urls")),
    path("", include("dashboard.urls")),
]

handler400 = "dashboard.views.errors.bad_request"
handler403 = "dashboard.views.errors.forbidden"
handler404 = "dashboard.views.errors.not_found"
handler500 = "dashboard.views.errors.server_error"
