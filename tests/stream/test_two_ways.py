"""Fifty clients of one run on both ways, connections that break and a slow reader: each sees 1, 2, 3 ... once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import re

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from apflow_site.asgi import application
from orchestration.consumers import DONE
from orchestration.engine.embedded import EmbeddedEngine
from tests.factories import make_user
from tests.stream.support import QUICK, WAIT_S, busy_tree, start, stored_seqs

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
database = sync_to_async
CLIENTS, LIMIT_S = 50, 120
SLOW_S = 0.1  # per frame: many events pile up behind it
SITE = [(b"host", b"testserver"), (b"origin", b"http://testserver")]


def cookie_of(name):
    client = Client()
    client.force_login(make_user(name))
    return "; ".join(f"{key}={morsel.value}" for key, morsel in client.cookies.items()).encode()


async def messages(scope, hello, goodbye, delay_s):
    """What the application sends over a network that takes *delay_s* for each message; left early, it is broken off."""
    inbox, outbox = asyncio.Queue(), asyncio.Queue()
    inbox.put_nowait(hello)

    async def send(message):
        await asyncio.sleep(delay_s)
        outbox.put_nowait(message)

    serving = asyncio.ensure_future(application(scope, inbox.get, send))
    try:
        while True:
            yield await asyncio.wait_for(outbox.get(), WAIT_S)
    finally:
        inbox.put_nowait(goodbye)
        await asyncio.wait_for(serving, WAIT_S)


async def socket_frames(run_id, after, cookie, delay_s=0.0):
    """Numbers of the events of each frame, to the end of the run."""
    scope = {"type": "websocket", "path": f"/ws/runs/{run_id}/", "query_string": f"after={after}".encode()}
    scope |= {"headers": [*SITE, (b"cookie", cookie)], "subprotocols": []}
    hello, goodbye = {"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": DONE}
    async with contextlib.aclosing(messages(scope, hello, goodbye, delay_s)) as told:
        async for message in told:
            if message["type"] == "websocket.send":
                yield [event["seq"] for event in json.loads(message["text"])["events"]]
            elif message["type"] == "websocket.close":
                assert message["code"] == DONE
                return


async def sse_frames(run_id, after, cookie, delay_s=0.0):
    """Numbers of the events of each piece, to the end of the run."""
    headers = [(b"cookie", cookie), (b"accept", b"text/event-stream"), (b"last-event-id", str(after).encode())]
    scope = {"type": "http", "method": "GET", "path": f"/api/v1/runs/{run_id}/events/", "query_string": b""}
    scope |= {"headers": [*SITE, *headers]}
    hello, goodbye = {"type": "http.request", "body": b""}, {"type": "http.disconnect"}
    async with contextlib.aclosing(messages(scope, hello, goodbye, delay_s)) as told:
        assert (await anext(told))["status"] == 200
        async for message in told:
            if found := [int(number) for number in re.findall(rb"^id: (\d+)$", message.get("body", b""), re.MULTILINE)]:
                yield found
            if not message.get("more_body"):
                return


async def flaky(frames, run_id, cookie, dice):
    """All the numbers that a client sees whose connections break at random, and how many it needed."""
    seen: list[int] = []
    for connection in itertools.count(1):
        left = dice.randint(1, 3)
        async with contextlib.aclosing(frames(run_id, seen[-1] if seen else 0, cookie)) as stream:
            async for numbers in stream:
                seen += numbers
                left -= 1
                if left == 0:
                    break
            else:
                return seen, connection
        await asyncio.sleep(dice.random() * 0.05)


async def slow(frames, run_id, cookie):
    """The same for a client that reads slowly, over one connection."""
    return [number async for numbers in frames(run_id, 0, cookie, SLOW_S) for number in numbers], 1


@pytest.mark.parametrize("frames", [socket_frames, sse_frames])
async def test_fifty_clients_see_every_event_once_and_in_order(frames):
    tree = await database(busy_tree)(tasks=60)
    cookie = await database(cookie_of)("ann")
    engine = EmbeddedEngine(QUICK)
    await engine.start()
    try:
        run = await database(start)(tree)
        clients = [flaky(frames, run.pk, cookie, random.Random(number)) for number in range(CLIENTS - 1)]
        async with asyncio.timeout(LIMIT_S):
            histories = await asyncio.gather(slow(frames, run.pk, cookie), *clients)
    finally:
        await engine.stop()
    expected = await database(stored_seqs)(run.pk)
    assert expected == list(range(1, len(expected) + 1))
    assert len(expected) > 100
    assert [number for number, (seen, _) in enumerate(histories) if seen != expected] == []
    assert sum(connections for _, connections in histories) > CLIENTS + 10, "many came back; how many, the load decides"
