"""How live the live views are: delays, many viewers, reconnects, slow viewers, and what watching costs the engine."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Any

from dashboard.bench.live_site import MB, Gated, Site, hot, layers, together
from dashboard.bench.sockets import Message, Viewer, of_program
from orchestration.domain.states import Kind
from orchestration.models import Event

type Figures = list[dict[str, Any]]
SETTLE_S = 1.0  # until the burst of starts is over
SLOW_S = 45.0  # at most, until those who do not read are given up: ten seconds after what may wait for them is full
SAMPLE = 50  # viewers whose delays are worked out


@dataclass(frozen=True, slots=True)
class Wish:
    """How much is measured."""

    viewers: int = 200
    seconds: float = 10.0
    tasks: int = 1000  # of the run that is watched for what watching costs
    rounds: int = 3
    reconnects: int = 500


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """In milliseconds, of seconds."""
    every = sorted(values) or [0.0]
    at = {"median_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
    return {name: round(1000 * every[min(len(every) - 1, int(share * len(every)))], 1) for name, share in at.items()}


def delays(times: list[tuple[int, float]], messages: list[Message], since: float, until: float = inf) -> list[float]:
    """Seconds from the commit of each event after *since*, up to *until*, to the first message that knows of it."""
    numbers = [message.seq for message in messages]
    found = []
    for seq, at in times:
        place = bisect_left(numbers, seq)
        if since < at <= until and place < len(numbers):
            found.append(messages[place].at - at)
    return found


async def follow_hot(site: Site, rate: int, seconds: float, pages: int, programs: int) -> dict[str, Any]:
    """A run with *rate* changes a second, watched by so many: delays, and what the server needs for it."""
    run = await site.run(hot(rate, SETTLE_S + seconds))
    empty = (await site.stats())["memory"]
    viewers = await site.watch(run.id, pages, programs)
    run.open()
    await asyncio.sleep(SETTLE_S)
    since = time.time()
    async with site.load() as load:
        await asyncio.sleep(max(1.0, seconds - 1))
        memory = (await site.stats())["memory"]
    until = time.time()
    await run.ended()
    times = await run.times()
    # not the end, when all tasks complete at once
    waited = [one for viewer in viewers[:SAMPLE] for one in delays(times, viewer.messages, since, until)]
    for viewer in viewers:
        viewer.leave()
    count = pages + programs
    return {
        "viewers": count,
        "of": "page" if pages else "program",
        "events_per_s": round(sum(since < at <= until for _, at in times) / (until - since)),
        **percentiles(waited),
        "cpu_percent": load.cpu_percent,
        "queries_per_s": round(load.queries / load.seconds),
        "kb_per_viewer": round((memory - empty) / 1024 / count),
        "gaps": sum(map(_gaps, viewers)) if programs else 0,
    }


def _gaps(viewer: Viewer) -> int:
    """Events that one should have got between its first and its last and did not get, or twice."""
    first = viewer.messages[0]
    expected = viewer.seq - (first.seq - first.events)
    return abs(expected - sum(message.events for message in viewer.messages))


async def rates(site: Site, wish: Wish) -> Figures:
    """From commit to a page and to a program, at 200 and 2,000 events a second."""
    return [await follow_hot(site, rate, wish.seconds, pages, 1 - pages) for rate in (200, 2000) for pages in (1, 0)]


async def viewers(site: Site, wish: Wish) -> Figures:
    """One viewer and many of one hot run: what each of them costs."""
    found = []
    for pages, programs in ((1, 0), (wish.viewers, 0), (0, wish.viewers)):
        found.append(await follow_hot(site, 200, wish.seconds, pages, programs))
    few = found[0]
    for row in found[1:]:
        more = row["viewers"] - few["viewers"]
        row["cpu_ms_per_viewer_and_s"] = round(10 * (row["cpu_percent"] - few["cpu_percent"]) / more, 2)
        row["queries_per_viewer_and_s"] = round((row["queries_per_s"] - few["queries_per_s"]) / more, 2)
    return found


async def paced(site: Site, wish: Wish) -> Figures:
    """1,000 events a second for many programs, and the floor: ready texts, ten a second, for as many sockets."""
    ours = await follow_hot(site, 1000, wish.seconds, 0, wish.viewers)
    times = max(10, int(10 * wish.seconds))
    every = [Viewer("/bench/paced/", site.cookies[0], _of_paced) for _ in range(wish.viewers)]
    await _shaken(site, every)
    async with site.load() as load:
        every[0].say(f"100 {times}")
        await together(*(one.until(lambda viewer: viewer.seq >= 100 * times) for one in every))
    # _of_paced keeps the moment of sending in `size`
    floor = percentiles([message.at - message.size / 1e6 for one in every for message in one.messages])
    await _leave(every)
    row = {"viewers": wish.viewers, "of": "floor", "events_per_s": 1000, **floor, "cpu_percent": load.cpu_percent}
    return [ours | {"p99_to_floor": round(ours["p99_ms"] / max(0.1, floor["p99_ms"]), 1)}, row]


def _of_paced(payload: bytes, at: float) -> Message | None:
    told = of_program(payload, at)
    sent = float(payload[payload.rindex(b'"sent": ') + 8 : -1])
    return Message(at, told.seq, told.events, round(sent * 1e6)) if told else None


async def deliveries(site: Site, wish: Wish) -> Figures:
    """Events of a run at full speed to many programs, and the same by one `group_send` per event."""
    run = await site.run(layers(9 * wish.tasks))
    every = await site.watch(run.id, 0, wish.viewers)
    began = time.monotonic()
    run.open()
    await together(*(viewer.until(lambda one: bool(one.closed)) for viewer in every))
    took = time.monotonic() - began
    events = min(viewer.seq for viewer in every)
    gaps = sum(map(_gaps, every))
    ours: dict[str, Any] = {
        "way": "ours",
        "events": events,
        "deliveries_per_s": round(events * len(every) / took),
        "gaps": gaps,
    }
    base = [Viewer("/bench/group/", site.cookies[0], of_program) for _ in range(wish.viewers)]
    await _shaken(site, base)
    count, began = 50, time.monotonic()
    base[0].say(str(count))
    await together(*(one.until(lambda viewer: viewer.seq >= count) for one in base))
    took = time.monotonic() - began
    await _leave(base)
    plain = round(count * len(base) / took)
    ours["to_group_send"] = round(ours["deliveries_per_s"] / plain, 1)
    return [ours, {"way": "group_send per event", "events": count, "deliveries_per_s": plain, "gaps": 0}]


async def reconnects(site: Site, wish: Wish) -> Figures:
    """Many lose their connection at the same moment and come back."""
    run = await site.run(hot(200, 6 * wish.seconds))
    found = []
    for page in (False, True):
        path = f"/ws/runs/{run.id}/page/" if page else f"/ws/runs/{run.id}/"
        before = [site.viewer(place, path, page=page) for place in range(wish.reconnects)]
        await site.arrive(before, lambda viewer: viewer.seq > 0)
        run.open()
        await asyncio.sleep(SETTLE_S)
        await _leave(before)
        last = [viewer.seq for viewer in before]
        queries = [path if page else f"{path}?after={seq}" for seq in last]
        after = [site.viewer(place, query, page=page) for place, query in enumerate(queries)]
        began = time.monotonic()
        await site.arrive(after, lambda viewer: viewer.seq > 0)
        took = time.monotonic() - began
        await asyncio.sleep(SETTLE_S)
        await _leave(after)
        lost = 0 if page else sum(_gap_between(seq, viewer) for seq, viewer in zip(last, after, strict=True))
        found.append({"viewers": len(after), "of": "page" if page else "program", "s": round(took, 2), "gaps": lost})
    return found


def _gap_between(last: int, viewer: Viewer) -> int:
    first = viewer.messages[0]
    return abs(first.seq - first.events - last) + _gaps(viewer)


async def slow(site: Site, wish: Wish) -> Figures:
    """Some do not read at all: the others do not notice, and the server's memory does not grow."""
    run = await site.run(hot(1000, SLOW_S))
    readers = await site.watch(run.id, 25, 25)
    sleepers = [site.viewer(place, f"/ws/runs/{run.id}/page/") for place in range(50)]
    await site.arrive(sleepers, lambda viewer: viewer.seq > 0, buffer_bytes=4096)
    for viewer in sleepers:
        viewer.transport.pause_reading()
    before = stats = await site.stats()
    run.open()
    await asyncio.sleep(SETTLE_S)
    since, most = time.time(), 0.0
    while time.time() < since + SLOW_S - 2 * SETTLE_S and stats["sockets"] > len(readers):
        await asyncio.sleep(0.5)
        stats = await site.stats()
        most = max(most, stats["memory"] - before["memory"])
    given_up = int(before["sockets"] - stats["sockets"])
    times = [one for one in await run.times() if one[1] < time.time() - SETTLE_S]
    waited = [one for viewer in readers for one in delays(times, viewer.messages, since)]
    row = {"readers": len(readers), "sleepers": len(sleepers), "given_up": given_up, **percentiles(waited)}
    row |= {"after_s": round(time.time() - since, 1), "most_mb_more": round(most / MB, 1)}
    await _leave([*readers, *sleepers])
    await run.cancel()
    await run.ended()
    return [row | {"gaps": sum(map(_gaps, readers[25:]))}]


async def cost(site: Site, wish: Wish) -> Figures:
    """W3 with nobody watching and with fifty run pages open, in turn."""
    taken: dict[int, list[float]] = {0: [], 50: []}
    for _ in range(wish.rounds):
        for pages, times in taken.items():
            run = await site.run(layers(wish.tasks))
            every = await site.watch(run.id, pages, 0)
            run.open()
            await run.ended()
            times.append(await _work_s(run))
            await _leave(every)
    alone, watched = (median(times) for times in taken.values())
    rates = [{"watching": n, "tasks_per_s": round(wish.tasks / s)} for n, s in ((0, alone), (50, watched))]
    return [rates[0], rates[1] | {"to_nobody": round(alone / watched, 2)}]


async def _work_s(run: Gated) -> float:
    """From the end of the gate to the end of the run, as stored."""
    events = Event.objects.filter(run=run.id)
    first = await events.filter(kind=Kind.TASK_COMPLETED).order_by("seq").afirst()
    last = await events.filter(kind=Kind.RUN_COMPLETED).afirst()
    if first is None or last is None:
        raise RuntimeError(f"run {run.id} did not complete")
    return (last.at - first.at).total_seconds()


async def _shaken(site: Site, every: list[Viewer]) -> None:
    await asyncio.gather(*(viewer.open(site.port) for viewer in every))
    deadline = time.monotonic() + 60
    while not all(viewer.open_for_messages for viewer in every):
        if time.monotonic() > deadline:
            raise TimeoutError("the baseline's sockets were not accepted")
        await asyncio.sleep(0.05)


async def _leave(every: list[Viewer]) -> None:
    for viewer in every:
        viewer.leave()
    await asyncio.sleep(0.5)  # the server hears of it


PARTS: dict[str, Callable[[Site, Wish], Awaitable[Figures]]] = {
    "rates": rates,
    "viewers": viewers,
    "paced": paced,
    "deliveries": deliveries,
    "reconnects": reconnects,
    "slow": slow,
    "cost": cost,
}


def measure_live(site: Site, wish: Wish, parts: Sequence[str]) -> dict[str, Figures]:
    """The figures of *parts*, one after another."""

    async def every() -> dict[str, Figures]:
        return {part: await PARTS[part](site, wish) for part in parts}

    return asyncio.run(every())
