"""WebSocket addresses of the pages."""

from __future__ import annotations

from django.urls import path

from dashboard.consumers import RunPageConsumer
from dashboard.graph_live import GraphConsumer

websocket_urlpatterns = [
    path("ws/runs/<int:run_id>/page/", RunPageConsumer.as_asgi()),
    path("ws/runs/<int:run_id>/graph/", GraphConsumer.as_asgi()),
]
