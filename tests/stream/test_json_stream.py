"""The JSON socket of a run: every event once and in order, for those who may see it, whatever the network does."""

from __future__ import annotations

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.test import Client

from orchestration import consumers, feeds, streams
from orchestration.domain.states import Kind, Status
from orchestration.models import TreeShare
from orchestration.routing import websocket_urlpatterns
from orchestration.selectors.events import EventPage
from tests.dashboard.rows import end_run
from tests.factories import make_tree, make_user
from tests.stream.support import WAIT_S, busy_tree, rights_are_asked_for, run_to_end, start

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.ws]
application = AuthMiddlewareStack(URLRouter(websocket_urlpatterns))
database = sync_to_async


def cookie_of(name):
    client = Client()
    if name:
        client.force_login(make_user(name))
    return "; ".join(f"{key}={morsel.value}" for key, morsel in client.cookies.items()).encode()


async def socket(run_id, name="ann", after=None):
    query = "" if after is None else f"?after={after}"
    headers = [(b"host", b"testserver"), (b"cookie", await database(cookie_of)(name))]
    opened = WebsocketCommunicator(application, f"/ws/runs/{run_id}/{query}", headers=headers)
    assert (await opened.connect(timeout=WAIT_S))[0]
    return opened


async def read(opened):
    """(events of the next frame, None) or (None, code that it was closed with)."""
    message = await opened.receive_output(timeout=WAIT_S)
    if message["type"] == "websocket.close":
        return None, message["code"]
    return json.loads(message["text"]), None


async def read_all(opened):
    """(all events, closing code)."""
    events = []
    while True:
        frame, code = await read(opened)
        if frame is None:
            return events, code
        assert len(frame["events"]) <= 100
        events += frame["events"]


async def test_a_run_that_has_ended_is_told_from_the_first_event():
    run = await run_to_end(await database(busy_tree)(tasks=60, duration_s=0.01))
    events, code = await read_all(await socket(run.pk))
    assert code == consumers.DONE
    assert [event["seq"] for event in events] == list(range(1, run.seq + 1))
    assert events[0]["kind"] == Kind.RUN_STARTED
    assert events[-1]["kind"] == Kind.RUN_COMPLETED
    assert all(list(event) == ["run", "seq", "kind", "task", "attempt", "at", "data"] for event in events)
    assert {event["run"] for event in events} == {run.pk}


async def test_a_socket_resumes_after_a_number():
    run = await run_to_end(await database(busy_tree)(tasks=5))
    events, code = await read_all(await socket(run.pk, after=run.seq - 3))
    assert ([event["seq"] for event in events], code) == ([run.seq - 2, run.seq - 1, run.seq], consumers.DONE)
    assert await read_all(await socket(run.pk, after=run.seq)) == ([], consumers.DONE)


@pytest.mark.parametrize(("name", "code"), [("", 4401), ("eve", 4404)])
async def test_strangers_learn_nothing(name, code):
    run = await database(start)(await database(busy_tree)(tasks=1))
    assert await read_all(await socket(run.pk, name)) == ([], code)


async def test_an_unknown_run_and_a_bad_number_are_told():
    run = await database(start)(await database(busy_tree)(tasks=1))
    assert await read_all(await socket(run.pk + 1000)) == ([], 4404)
    assert await read_all(await socket(run.pk, after="-1")) == ([], 4400)


async def test_who_it_is_shared_with_may_watch_until_that_ends(monkeypatch):
    monkeypatch.setattr(streams, "RECHECK_S", 0.2)
    tree = await database(busy_tree)(tasks=1)
    share = await TreeShare.objects.acreate(tree=tree, user=await database(make_user)("bob"))
    run = await database(start)(tree)
    opened = await socket(run.pk, "bob")
    assert (await read(opened))[0]["events"][0]["kind"] == Kind.RUN_STARTED
    await share.adelete()
    assert (await read_all(opened))[1] == consumers.NOT_ALLOWED


async def test_news_do_not_wait_for_an_answer_about_rights(monkeypatch):
    """Not even when none ever comes."""
    monkeypatch.setattr(streams, "RECHECK_S", 0.05)
    monkeypatch.setattr(feeds, "GATHER_S", 3600.0)
    run = await database(start)(await database(busy_tree)(tasks=1))
    opened = await socket(run.pk)
    await read(opened)
    await rights_are_asked_for(run.pk)
    await database(end_run)(run, Status.COMPLETED)
    assert (await read_all(opened))[1] == consumers.DONE


async def test_what_the_client_says_is_ignored():
    tree = await database(make_tree)(owner=await database(make_user)("ann"))
    run = await database(start)(tree)
    opened = await socket(run.pk)
    await read(opened)
    await opened.send_to(text_data='{"type": "anything"}')
    await opened.send_to(text_data="not json")
    await opened.send_to(bytes_data=b"\x00")
    await database(end_run)(run, Status.COMPLETED)
    assert (await read_all(opened))[1] == consumers.DONE


class StuckNetwork:
    """A server's end of a socket that takes *frames* frames and then no more, until it is told to close."""

    def __init__(self, frames):
        self.frames = frames
        self.waiting = self.most_waiting = 0
        self.closed = asyncio.get_running_loop().create_future()

    async def __call__(self, message):
        if message["type"] == "websocket.close":
            self.closed.set_result(message["code"])
        elif message["type"] == "websocket.send":
            self.frames -= 1
            if self.frames < 0:
                self.waiting += 1
                self.most_waiting = max(self.most_waiting, self.waiting)
                try:
                    await asyncio.Event().wait()
                finally:
                    self.waiting -= 1


@pytest.mark.fault
async def test_a_reader_that_does_not_read_is_given_up(monkeypatch):
    monkeypatch.setattr(consumers, "SEND_TIMEOUT_S", 0.2)
    run = await run_to_end(await database(busy_tree)(tasks=60, duration_s=0.01))
    network, inbox = StuckNetwork(frames=1), asyncio.Queue()
    inbox.put_nowait({"type": "websocket.connect"})
    scope = {"type": "websocket", "path": f"/ws/runs/{run.pk}/", "query_string": b"", "subprotocols": []}
    scope["headers"] = [(b"cookie", await database(cookie_of)("ann"))]
    serving = asyncio.ensure_future(application(scope, inbox.get, network))
    assert await asyncio.wait_for(network.closed, WAIT_S) == consumers.TOO_SLOW
    assert network.most_waiting == 1  # nothing piles up: the rows are the queue
    inbox.put_nowait({"type": "websocket.disconnect", "code": 4408})
    await asyncio.wait_for(serving, WAIT_S)


def test_long_events_go_in_frames_of_their_own():
    events = [{"seq": number, "data": {"error": "x" * 100_000}} for number in range(1, 8)]
    frames = streams.Told(EventPage(events, more=False, ended=False)).frames
    assert [event["seq"] for text, _ in frames for event in json.loads(text)["events"]] == list(range(1, 8))
    assert all(len(text) < streams.MAX_FRAME + 1000 for text, _ in frames)
    assert [seq for _, seq in frames] == [2, 4, 6, 7]
    assert streams.Told(EventPage([], more=False, ended=False)).frames == []
