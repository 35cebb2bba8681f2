"""WebSocket addresses of the pages."""

from __future__ import annotations

from django.urls import path

from dashboard.consumers import RunPageConsumer

websocket_urlpatterns = [path("ws/runs/<int:run_id>/page/", RunPageConsumer.as_asgi())]
