"""F3 (a socket whose server is killed), F31 and F32: viewers that do not read, and viewers that all come at once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time

import psutil
import pytest

from tests.faults.sockets import Reader, drained, stuck
from tests.faults.support import PATIENCE, until

pytestmark = [pytest.mark.fault, pytest.mark.slow]

STUCK = 12
EVENT = 4000  # characters
TOO_SLOW = 4408
OPEN = (psutil.CONN_ESTABLISHED, psutil.CONN_CLOSE_WAIT)
DRIP_S = 0.2  # between two bytes
MIB = 1024 * 1024
STORM = int(os.environ.get("FAULT_SOCKETS", "100"))
STORM_S = 10.0 * PATIENCE  # the goal is 10 s on two cores of one's own
PER_USER = 90


def memory(child):
    return psutil.Process(child.pid).memory_info().rss


@pytest.fixture
def fat(place):
    """A server, and a run with 8 MiB of events."""
    server = place.server("--no-engine")
    run = place.begin(place.task("a"))
    count = place.call("tests.faults.inside:fatten", run, 2000, EVENT)
    return place, server, run, count


def test_f31_sockets_that_read_nothing_are_given_up_and_cost_little(fat):
    place, server, run, _ = fat
    cookie = place.call("tests.faults.inside:session")
    first = stuck(server.port, f"/ws/runs/{run}/", cookie)
    until(lambda: drained_in_kernel(first), "an answer")
    before = memory(server)
    several = [stuck(server.port, f"/ws/runs/{run}/", cookie) for _ in range(STUCK)]
    most = 0
    end = time.monotonic() + 6
    while time.monotonic() < end:
        most = max(most, memory(server))
        time.sleep(0.1)  # what is measured is what piles up in this time
    assert (most - before) / STUCK < 2 * MIB, "memory per socket that reads nothing"
    until(lambda: connections(server) == 0, "that they are given up", 40)
    codes = [drained(made) for made in (first, *several)]
    assert all(got < MIB for got, _ in codes), "what waits for them is little, in the kernel as well"
    assert {code for _, code in codes} <= {TOO_SLOW, None}, "cut off when even the code did not fit"
    assert given_up(place) == STUCK + 1, "as too slow, each of them"
    assert asyncio.run(whole(server, run, cookie)) == "ended or waits"
    assert server.code is None


def given_up(place):
    return place.log("up").count(f"does not read: closed with {TOO_SLOW}")


def drained_in_kernel(made):
    """Whether anything has come."""
    made.setblocking(False)
    try:
        return bool(made.recv(1))
    except BlockingIOError:
        return False
    finally:
        made.setblocking(True)


def connections(server):
    found = psutil.Process(server.pid).net_connections("tcp")
    return sum(one.status in OPEN and one.laddr.port == server.port for one in found)


async def whole(server, run, cookie):
    """A viewer that reads gets all of it."""
    reader = Reader(server.port, run, cookie)
    await reader.open()
    async with asyncio.timeout(30):
        await reader.read(upto=2001)
    assert reader.seen == list(range(1, len(reader.seen) + 1))
    reader.close()
    return "ended or waits"


def test_f31_slow_and_half_open_readers_hurt_only_themselves(fat):
    """One takes a byte at a time, one has closed its own side; another one is served at once."""
    place, server, run, count = fat
    cookie = place.call("tests.faults.inside:session")
    slow = stuck(server.port, f"/ws/runs/{run}/", cookie)
    half = stuck(server.port, f"/ws/runs/{run}/", cookie)
    until(lambda: drained_in_kernel(slow) and drained_in_kernel(half), "an answer")
    half.shutdown(socket.SHUT_WR)
    began = time.monotonic()
    taken = asyncio.run(beside(server, run, cookie, slow))
    assert time.monotonic() - began > 9, "it had its time"
    assert 5 < taken < 1000
    assert count >= 2001
    assert given_up(place) == 1
    got, code = drained(slow)
    assert got < MIB
    assert code in (TOO_SLOW, None)
    half.close()


async def beside(server, run, cookie, slow):
    """How many bytes *slow* took, one by one, until nobody is connected; another viewer got all of it meanwhile."""
    slow.setblocking(False)
    dripping = asyncio.create_task(dripped(server, slow))
    began = time.monotonic()
    await whole(server, run, cookie)
    assert time.monotonic() - began < 20
    return await dripping


async def dripped(server, slow):
    taken = 0
    async with asyncio.timeout(40):
        while connections(server) > 0:
            taken += len(await asyncio.get_running_loop().sock_recv(slow, 1))
            await asyncio.sleep(DRIP_S)  # this is how slow it is
    return taken


def test_f32_everybody_comes_back_at_once(place):
    server = place.server()
    run = place.begin(*(place.task(f"t{n}", s=0.2, after=[f"t{n - 1}"] if n else []) for n in range(40)))
    cookies = place.call("tests.faults.inside:sessions", -(-STORM // PER_USER))
    seconds, readers = asyncio.run(storm(server, run, cookies))
    print(f"\n{STORM} sockets back in {seconds:.1f} s")
    newest = place.one("SELECT seq FROM orchestration_run WHERE id = %s", run)
    assert place.run_ended(run) == "completed"
    for reader in readers:
        assert reader.seen == list(range(1, newest + 1)), "a gap or a repeat"
        assert reader.code == 1000
    assert seconds < STORM_S
    assert "Traceback" not in place.log("up")
    place.right()


async def storm(server, run, cookies):
    """(seconds until all are back, the viewers at the end of the run)"""
    readers = [Reader(server.port, run, cookies[number // PER_USER]) for number in range(STORM)]
    try:
        async with asyncio.timeout(50 * PATIENCE):
            for part in range(0, STORM, 50):
                await asyncio.gather(*(reader.open() for reader in readers[part : part + 50]))
            await asyncio.gather(*(reader.read(upto=3) for reader in readers))
            for reader in readers:
                reader.close()
            began = time.monotonic()
            await asyncio.gather(*(back(reader) for reader in readers))
            seconds = time.monotonic() - began
            await asyncio.gather(*(reader.read() for reader in readers))
    finally:
        for reader in readers:
            reader.close()
        await asyncio.sleep(0)  # the loop hears of it
    return seconds, readers


async def back(reader):
    await reader.open()
    await reader.read(upto=reader.seen[-1] + 1)


def test_f03_a_server_that_is_killed_while_somebody_watches_and_starts(place):
    """The viewer goes on at its number, and whoever asked for a run gets the one that was made."""
    server = place.server(failpoints={"idempotency.remember": "kill@2"})
    cookie = place.call("tests.faults.inside:session")
    tree = place.post(
        server.url, "trees/", {"tasks": [{"name": "r"}, place.task("a") | {"parent_id": "r"}]}, key="t"
    ).json()
    first = place.begin(place.task("w", hold=True))
    place.begun("w")

    async def watch(reader, upto):
        await reader.open()
        async with asyncio.timeout(30):
            await reader.read(upto)
        reader.close()

    reader = Reader(server.port, first, cookie)
    asyncio.run(watch(reader, 3))
    with pytest.raises(Exception, match=r"(?i)disconnect|closed|reset|refused"):
        place.post(server.url, f"trees/{tree['id']}/runs/", {"mode": "all"}, key="r")
    assert place.ended(server) == -signal.SIGKILL
    assert place.count("orchestration_run WHERE tree_id = %s", tree["id"]) == 0, "not committed, not there"
    again = place.server()
    answers = [place.post(again.url, f"trees/{tree['id']}/runs/", {"mode": "all"}, key="r") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert len({answer.json()["id"] for answer in answers}) == 1
    place.go()
    reader.port = again.port
    asyncio.run(watch(reader, None))
    assert reader.code == 1000
    assert reader.seen == list(range(1, len(reader.seen) + 1))
    assert place.run_ended(answers[0].json()["id"]) == "completed"
    assert place.run_ended(first) == "completed"
    place.right()
