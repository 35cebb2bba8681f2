"""Server-Sent Events of a run: the same events, resumable, as text."""

from __future__ import annotations

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from django.urls import include, path

from orchestration import streams
from orchestration.domain.states import Kind
from orchestration.models import TreeShare
from tests.factories import make_user
from tests.stream.support import WAIT_S, busy_tree, run_to_end, start

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]
urlpatterns = [
    path("api/v1/runs/<int:run_id>/events/", streams.run_events),
    path("", include("apflow_site.urls")),
]
database = sync_to_async


async def client(name="ann"):
    made = AsyncClient()
    if name:
        await made.aforce_login(await database(make_user)(name))
    return made


async def get(run_id, name="ann", query="", **headers):
    return await (await client(name)).get(f"/api/v1/runs/{run_id}/events/{query}", headers=headers)


def parse(text):
    """The events of *text*: [(id, event, data)]."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "data" in lines:
            found.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return found


async def read(response, limit=None):
    """All events, or those of the first *limit* pieces; the connection is closed then."""
    text, pieces = "", 0
    stream = aiter(response)
    async for piece in stream:
        text += piece.decode()
        pieces += 1
        if limit is not None and pieces >= limit:
            break
    response.close()
    await stream.aclose()
    return parse(text)


async def test_the_whole_story_of_a_run_that_has_ended():
    run = await run_to_end(await database(busy_tree)(tasks=40, duration_s=0.01))
    response = await get(run.pk)
    assert (response.status_code, response["Content-Type"]) == (200, "text/event-stream")
    assert response["Cache-Control"] == "no-store"
    events = await asyncio.wait_for(read(response), WAIT_S)
    assert [number for number, _, _ in events] == list(range(1, run.seq + 1))
    assert events[0][1] == Kind.RUN_STARTED
    assert events[-1][1] == Kind.RUN_COMPLETED
    assert all(data["seq"] == number and data["kind"] == kind for number, kind, data in events)


async def test_it_resumes_after_the_last_event_that_the_client_has():
    run = await run_to_end(await database(busy_tree)(tasks=3))
    after = run.seq - 2
    for response in (await get(run.pk, query=f"?after={after}"), await get(run.pk, **{"Last-Event-ID": str(after)})):
        assert [number for number, _, _ in await read(response)] == [run.seq - 1, run.seq]
    both = await get(run.pk, query="?after=1", **{"Last-Event-ID": str(after)})  # a browser repeats its first address
    assert [number for number, _, _ in await read(both)] == [run.seq - 1, run.seq]


@pytest.mark.parametrize(
    ("name", "query", "status", "code", "field"),
    [
        ("", "", 401, "not_authenticated", ""),
        ("eve", "", 404, "not_found", ""),
        ("ann", "?after=-1", 400, "invalid_type", "after"),
        ("ann", "?after=1e3", 400, "invalid_type", "after"),
    ],
)
async def test_refusals_are_json(name, query, status, code, field):
    run = await database(start)(await database(busy_tree)(tasks=1))
    response = await get(run.pk, name, query)
    assert response.status_code == status
    error = json.loads(response.content)["error"]
    assert (error["code"], error["field"]) == (code, field)
    assert error["message"]


async def test_an_unknown_run_and_another_verb_are_refused():
    run = await database(start)(await database(busy_tree)(tasks=1))
    assert (await get(run.pk + 1000)).status_code == 404
    assert (await (await client()).post(f"/api/v1/runs/{run.pk}/events/")).status_code == 405


async def test_a_quiet_stream_shows_that_it_lives_and_ends_with_the_right(monkeypatch):
    monkeypatch.setattr(streams, "QUIET_S", 0.05)
    monkeypatch.setattr(streams, "KEEPALIVE_S", 0.05)
    monkeypatch.setattr(streams, "RECHECK_S", 0.3)
    tree = await database(busy_tree)(tasks=1)
    share = await TreeShare.objects.acreate(tree=tree, user=await database(make_user)("bob"))
    run = await database(start)(tree)
    response = await get(run.pk, "bob")
    pieces = aiter(response)
    async with asyncio.timeout(WAIT_S):
        while await anext(pieces) != b": keep-alive\n\n":
            pass
        await share.adelete()
        rest = [piece async for piece in pieces]
    assert set(rest) <= {b": keep-alive\n\n"}
    response.close()
