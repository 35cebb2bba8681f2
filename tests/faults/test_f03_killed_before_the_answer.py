"""F3: kill -9 of the server after a request was committed and before it was answered, while somebody watches a run."""

from __future__ import annotations

import asyncio
import signal

import httpx
import pytest

from tests.faults.sockets import Reader

pytestmark = [pytest.mark.fault, pytest.mark.slow]

BROKEN = (ConnectionError, asyncio.IncompleteReadError)


async def rest(reader):
    """What still comes over an open socket."""
    while True:
        await reader._frame()


def test_f03_killed_between_commit_and_answer(place):
    """Whoever sends it again with its key gets what was made, once; a socket breaks, and goes on at its number."""
    server = place.server(failpoints={"web.committed": "kill@2"})
    tasks = [{"name": "r"}, place.task("a") | {"parent_id": "r"}]
    tree = place.post(server.url, "trees/", {"tasks": tasks}, key="t").json()["id"]
    watched = place.begin(place.task("w", hold=True))
    place.begun("w")
    reader = Reader(server.port, watched, place.call("tests.faults.inside:session"))

    def ask(url):
        return place.post(url, f"trees/{tree}/runs/", {"mode": "all"}, key="r")

    async def watch():
        await reader.open()
        await reader.read(3)
        with pytest.raises(httpx.TransportError):
            await asyncio.to_thread(ask, server.url)
        with pytest.raises(BROKEN):
            await rest(reader)
        reader.close()
        assert place.ended(server) == -signal.SIGKILL
        [[made]] = place.all("SELECT id FROM orchestration_run WHERE tree_id = %s", tree)
        again = await asyncio.to_thread(place.server)
        reader.port = again.port
        await reader.open()
        for answer in [await asyncio.to_thread(ask, again.url) for _ in range(2)]:
            assert (answer.status_code, answer.json()["id"]) == (202, made)
            assert answer.headers["Idempotent-Replayed"] == "true"
        place.go()
        await reader.read()
        reader.close()
        return made

    made = asyncio.run(asyncio.wait_for(watch(), 120))
    assert reader.code == 1000
    assert reader.seen == list(range(1, len(reader.seen) + 1))
    assert place.run_ended(made) == place.run_ended(watched) == "completed"
    assert place.count("orchestration_run WHERE tree_id = %s", tree) == 1
    place.right()
