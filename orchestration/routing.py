"""WebSocket addresses for programs."""

from __future__ import annotations

from django.urls import path

from orchestration.consumers import RunEventConsumer

websocket_urlpatterns = [path("ws/runs/<int:run_id>/", RunEventConsumer.as_asgi())]
