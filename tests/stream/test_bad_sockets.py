"""What the catalogue of bad inputs sends to sockets and what the neighbours of this file do not send yet."""

from __future__ import annotations

import itertools
import re

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from apflow_site import sockets
from apflow_site.asgi import application
from orchestration import consumers
from tests.factories import make_user
from tests.stream.support import WAIT_S, busy_tree, start
from tests.support_processes import ROOT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.ws]
database = sync_to_async


def prepare():
    run = start(busy_tree(tasks=1))
    client = Client()
    client.force_login(make_user("ann"))
    return run, "; ".join(f"{key}={morsel.value}" for key, morsel in client.cookies.items()).encode()


async def opened(run, cookie, query="", kind=""):
    headers = [(b"host", b"testserver"), (b"origin", b"http://testserver"), (b"cookie", cookie)]
    socket = WebsocketCommunicator(application, f"/ws/runs/{run.pk}/{kind}{query}", headers=headers)
    assert (await socket.connect(timeout=WAIT_S))[0]
    return socket


async def first(socket):
    """The code that it is closed with, or None when something is told."""
    message = await socket.receive_output(timeout=WAIT_S)
    return message.get("code") if message["type"] == "websocket.close" else None


async def test_an_expired_session_is_none():
    run, cookie = await database(prepare)()
    await Session.objects.aupdate(expire_date=timezone.now())
    assert await first(await opened(run, cookie)) == consumers.NOT_SIGNED_IN


@pytest.mark.parametrize("number", ["-1", '"5"', "null", str(2**63), "1.0", "%00", "9" * 5000])
async def test_what_is_no_number_of_an_event_is_told(number):
    run, cookie = await database(prepare)()
    assert await first(await opened(run, cookie, f"?after={number}")) == consumers.BAD_REQUEST


async def test_what_clients_say_reaches_nobody():
    run, cookie = await database(prepare)()
    socket = await opened(run, cookie)
    assert await first(socket) is None
    for text in ("[" * 5000, '{"type": "subscribe", "runs": [1, 2]}' * 20, "\ud83d", "nonsense"):
        await socket.send_input({"type": "websocket.receive", "text": text})
    await socket.send_input({"type": "websocket.receive", "bytes": b"\x00\xff"})
    assert await socket.receive_nothing(timeout=0.2)
    await socket.disconnect(timeout=WAIT_S)


async def code(socket):
    """The code that it is closed with, after whatever else it is told; later it is told nothing."""
    while (found := await first(socket)) is None:
        pass
    assert await socket.receive_nothing(timeout=0.1)
    return found


@pytest.mark.parametrize("kind", ["", "page/", "graph/"])
async def test_what_is_too_long_or_too_often_ends_any_socket(kind, settings):
    run, cookie = await database(prepare)()
    most = settings.MAX_SOCKET_BYTES
    for said in ({"text": "é" * (most // 2) + "x"}, {"bytes": bytes(most + 1)}):
        socket = await opened(run, cookie, kind=kind)
        await socket.send_input({"type": "websocket.receive", **said})
        assert await code(socket) == consumers.TOO_BIG
        await socket.wait(timeout=WAIT_S)
    socket = await opened(run, cookie, kind=kind)
    for size in [most] * sockets.MOST_MESSAGES + [1]:
        assert socket.output_queue.empty() or await first(socket) is None
        await socket.send_input({"type": "websocket.receive", "bytes": bytes(size)})
    assert await code(socket) == sockets.TOO_MANY
    await socket.wait(timeout=WAIT_S)


async def test_who_says_little_at_a_time_may_say_much(monkeypatch):
    run, cookie = await database(prepare)()
    clock = itertools.count(1000.0, 1.01 / sockets.MOST_MESSAGES)
    monkeypatch.setattr(sockets, "monotonic", lambda: next(clock))
    socket = await opened(run, cookie)
    assert await first(socket) is None
    for _ in range(5 * sockets.MOST_MESSAGES):
        await socket.send_input({"type": "websocket.receive", "text": "x"})
    assert await socket.receive_nothing(timeout=0.2)
    await socket.disconnect(timeout=WAIT_S)


def test_our_own_pages_say_nothing():
    """Else they would have to stay below the limits."""
    for folder, pattern in (("templates", "*.html"), ("static", "*.js")):
        for path in (ROOT / folder).rglob(pattern):
            if path.parent.name != "vendor":
                assert not re.search(r"ws:send|ws-send|socket\.send|WebSocket\(", path.read_text()), path


async def test_one_person_has_only_so_many_sockets(monkeypatch):
    monkeypatch.setattr(sockets, "MOST", 3)
    run, cookie = await database(prepare)()
    several = [await opened(run, cookie) for _ in range(3)]
    assert [await first(socket) for socket in several] == [None] * 3
    assert await first(await opened(run, cookie)) == sockets.TOO_MANY
    await several[0].disconnect(timeout=WAIT_S)
    again = await opened(run, cookie)
    assert await first(again) is None
    for socket in (*several[1:], again):
        await socket.disconnect(timeout=WAIT_S)
