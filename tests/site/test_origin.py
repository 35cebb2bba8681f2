"""A socket opens only for a page of ours."""

from __future__ import annotations

import pytest
from channels.testing import WebsocketCommunicator

from apflow_site.origin import SameOrigin

# the socket library closes old connections, in whatever thread it works
pytestmark = [pytest.mark.django_db, pytest.mark.ws]


async def accepting(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})


async def opens(*headers, scheme="ws"):
    socket = WebsocketCommunicator(SameOrigin(accepting), "/", headers=[(k.encode(), v.encode()) for k, v in headers])
    socket.scope["scheme"] = scheme
    connected, _ = await socket.connect()
    if not connected:
        await socket.disconnect()
    return connected


HOST = ("host", "localhost:8000")


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("ws", "localhost:8000", "http://localhost:8000"),
        ("ws", "LOCALHOST:8000", "http://localhost:8000"),
        ("ws", "localhost", "http://localhost"),
        ("wss", "localhost", "https://localhost:443"),
        ("ws", "[::1]:8000", "http://[::1]:8000"),
    ],
)
async def test_same_origin_opens(scheme, host, origin):
    assert await opens(("host", host), ("origin", origin), scheme=scheme)


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "http://localhost:8001",
        "https://localhost:8000",
        "http://127.0.0.1:8000",
        "http://localhost.evil.example:8000",
        "http://user@localhost:8000",
        "http://localhost:8000/path",
        "http://localhost:x",
        "null",
        "",
    ],
)
async def test_another_origin_is_refused(origin):
    assert not await opens(HOST, ("origin", origin))


async def test_an_origin_is_needed_exactly_once():
    ours = ("origin", "http://localhost:8000")
    assert not await opens(HOST)
    assert not await opens(HOST, ours, ours)
    assert not await opens(HOST, HOST, ours)


async def test_a_host_that_is_not_ours_is_refused():
    assert not await opens(("host", "evil.example"), ("origin", "http://evil.example"))


async def test_a_trusted_origin_opens(settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://flows.example"]
    assert await opens(HOST, ("origin", "https://flows.example"))
    assert not await opens(HOST, ("origin", "http://flows.example"))


async def test_behind_a_proxy_its_scheme_counts(settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    forwarded = ("x-forwarded-proto", "https")
    assert await opens(HOST, forwarded, ("origin", "https://localhost:8000"))
    assert not await opens(HOST, forwarded, ("origin", "http://localhost:8000"))
