"""The server that `manage.py bench_live` measures: the site as `up` serves it, and beside it the baselines."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import psutil
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from daphne.endpoints import build_endpoint_description_strings
from django.conf import settings
from django.db.backends.signals import connection_created
from django.urls import path
from django.utils.module_loading import import_string

from dashboard.bench.sockets import HOST
from orchestration.bench import executors  # noqa: F401  (registers them)
from orchestration.engine.embedded import EmbeddedEngine
from orchestration.engine.server import EngineServer

LAYER = "bench"
STATS = "/bench/stats"
PACE_S = 0.1

queries = 0
sockets = 0  # of the site that are open


class GroupViewer(AsyncWebsocketConsumer):
    """The baseline: one `group_send` per event, as the usual consumer does it. "30" tells all 30 events."""

    channel_layer_alias = LAYER
    groups = ["viewers"]

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        for seq in range(1, int(text_data or 0) + 1):
            await self.channel_layer.group_send("viewers", {"type": "tell", "event": _event(seq)})

    async def tell(self, message: dict[str, Any]) -> None:
        await self.send(json.dumps({"events": [message["event"]]}))


class PacedViewer(AsyncWebsocketConsumer):
    """The floor: every tenth of a second one text for all, ready made. "100 50": 100 events each time, 50 times."""

    channel_layer_alias = "none"
    everyone: set[PacedViewer] = set()

    async def connect(self) -> None:
        self.everyone.add(self)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        self.everyone.discard(self)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        each, times = map(int, (text_data or "0 0").split())
        for turn in range(times):
            events = [_event(turn * each + number) for number in range(1, each + 1)]
            text = json.dumps({"events": events, "sent": time.time()})
            for viewer in list(self.everyone):
                await viewer.send(text)
            await asyncio.sleep(PACE_S)


def _event(seq: int) -> dict[str, Any]:
    """An event of the size that ours have."""
    task = "00000000-0000-0000-0000-000000000000"
    at = "2026-01-31T12:00:00.000000+00:00"
    data = {"progress": 0.5, "message": "step 5 of 10"}
    return {"run": 1, "seq": seq, "kind": "task_progress", "task": task, "attempt": 1, "at": at, "data": data}


baselines = URLRouter([path("bench/group/", GroupViewer.as_asgi()), path("bench/paced/", PacedViewer.as_asgi())])


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The site's own, but for what is under /bench/."""
    global sockets
    if scope["type"] == "http" and scope["path"] == STATS:
        memory = psutil.Process().memory_full_info().uss
        body = json.dumps({"queries": queries, "memory": memory, "sockets": sockets}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
    elif scope["type"] == "websocket" and scope["path"].startswith("/bench/"):
        await baselines(scope, receive, send)
    elif scope["type"] == "websocket":
        sockets += 1
        try:
            await site(scope, receive, send)
        finally:
            sockets -= 1
    else:
        await site(scope, receive, send)


site = import_string(settings.ASGI_APPLICATION)


def serve(port: int) -> None:
    """Serves on loopback until it is told to stop."""
    settings.CHANNEL_LAYERS[LAYER] = {
        "BACKEND": "channels.layers.InMemoryChannelLayer",
        "CONFIG": {"capacity": 1_000_000},  # the usual 100 would drop most of it
    }
    connection_created.connect(_count)
    endpoints = build_endpoint_description_strings(host=HOST, port=port)
    server = EngineServer(application, endpoints=endpoints, engine=EmbeddedEngine(), announce=lambda: None)
    server.run()
    if server.failure is not None:
        raise server.failure


def _count(connection: Any, **_: Any) -> None:
    if _counted not in connection.execute_wrappers:  # it may have been connected before
        connection.execute_wrappers.append(_counted)


def _counted(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    global queries
    queries += 1
    return execute(sql, params, many, context)
