"""Every WebSocket, opened by everybody. A socket without a row fails."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client

from apflow_site.asgi import application
from dashboard.routing import websocket_urlpatterns as page_sockets
from orchestration.routing import websocket_urlpatterns as event_sockets
from tests.access.world import ROLES, build

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.ws]
WAIT_S = 60.0
OPEN = 0
MEMBERS = ("owner", "shared view", "shared run", "staff", "superuser")
# address -> the code that tells anonymous ones to sign in; strangers are told that there is nothing
SOCKETS = {"ws/runs/<int:run_id>/": 4401, "ws/runs/<int:run_id>/page/": 4403, "ws/runs/<int:run_id>/graph/": 4403}
TOKENS = ("read token", "run token")


def expected(role, sign_in):
    if role in MEMBERS:
        return OPEN
    return sign_in if role == "anonymous" or role in TOKENS else 4404  # tokens are not for sockets


async def verdict(world, role, route):
    """0 when something is told, else the code that the socket is closed with."""
    client: Client = world.clients[role]
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    headers = [(b"host", b"testserver"), (b"origin", b"http://testserver"), (b"cookie", cookie.encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in world.headers.get(role, {}).items()]
    socket = WebsocketCommunicator(application, world.address(route), headers=headers)
    assert (await socket.connect(timeout=WAIT_S))[0]
    message = await socket.receive_output(timeout=WAIT_S)
    await socket.disconnect(timeout=WAIT_S)
    return message["code"] if message["type"] == "websocket.close" else OPEN


async def test_matrix():
    world = await sync_to_async(build)()
    for route, sign_in in SOCKETS.items():
        got = {role: await verdict(world, role, route) for role in ROLES}
        assert got == {role: expected(role, sign_in) for role in ROLES}, route


def test_no_socket_is_without_a_row():
    assert {str(pattern.pattern) for pattern in (*page_sockets, *event_sockets)} == set(SOCKETS)
