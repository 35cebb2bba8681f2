"""The whole play: people use an installation while a nemesis breaks it; then everything must end right."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.ports import free_port
from orchestration.soak.nemesis import Nemesis, Post
from orchestration.soak.people import Feeder, Person
from orchestration.soak.processes import Installation, Nursery, Trouble

PEOPLE = 3
PAUSE_S = 0.2  # of a person between two trees: without it they would take the processor from what is to be broken
DRAIN_S = 300.0
QUICK = {
    # a lease must not be longer than the whole play, and chance kills more often than any limit allows
    "APFLOW_LEASE_S": "3",
    "APFLOW_HEARTBEAT_S": "0.5",
    "APFLOW_SWEEP_S": "0.5",
    "APFLOW_GRACE_S": "0.5",
    "APFLOW_SHUTDOWN_S": "2",
    "APFLOW_RECOVERY_LIMIT": "1000",
    "APFLOW_API_WRITES_PER_MINUTE": "1000000",
    "APFLOW_LOG_LEVEL": "ERROR",
    "APFLOW_DATABASE_POOL": "8",
    "APFLOW_ASYNC_SLOTS": "6",
    "APFLOW_PROCESS_SLOTS": "2",
}


@dataclass(frozen=True)
class Script:
    """*minutes* of *faults*, or until *kills* processes were killed (0: only the time counts)."""

    seed: str
    faults: Sequence[str]
    minutes: float = 1.0
    kills: int = 0


@dataclass
class Report:
    """How it went. *faults*: what is wrong; nothing else may be."""

    seed: str
    faults: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def play(
    script: Script, folder: Path, environment: Mapping[str, str], *, root: Path, say: Callable[[str], None]
) -> Report:
    """The report on *script*, played in *folder* on the database of *environment*: DATABASE_URL, or a file in *folder*.

    Effects: processes on loopback ports, all gone at the end; *folder* stays.
    """
    report = Report(script.seed)
    database = environment.get("DATABASE_URL") or str(folder / "apflow.sqlite3")
    variables = {**environment, **QUICK}
    with Nursery(root, folder / "nursery.log", variables) as nursery, Installation(folder, nursery, variables) as place:
        try:
            place.run("migrate", "-v0")
            token = place.call("orchestration.soak.inside:prepare")
            say("prepared")
            _act(script, place, database, token, report, say)
        except Trouble as trouble:
            report.faults.append(str(trouble))
    return report


def _act(
    script: Script, place: Installation, database: str, token: str, report: Report, say: Callable[[str], None]
) -> None:
    began = time.monotonic()
    posts, ports = _posts(place, scale_out=database.startswith("postgres"))
    effects = str(place.effects)
    people: list[Person | Feeder] = [Feeder(place, script.seed)]
    for number in range(PEOPLE):
        people.append(Person(f"p{number}", ports, token, effects, script.seed, rest_s=PAUSE_S))
    tally: Counter[str] = Counter()
    take = _counter(script.kills)
    nemeses = []
    for post in posts:
        dice = random.Random(f"{script.seed} {post.name}")  # noqa: S311  (repeatable on purpose)
        nemeses.append(Nemesis(post, dice, tally, faults=script.faults, database=database, take=take))
    for thread in (*people, *nemeses):
        thread.start()
    _until(script, began, people, nemeses)
    for nemesis in nemeses:
        nemesis.stop.set()
    for nemesis in nemeses:
        nemesis.join(90)
    faulted_s = time.monotonic() - began
    troubled = any(nemesis.trouble for nemesis in nemeses)
    for post in () if troubled else posts:
        post.ensure()
    for person in people:
        person.stop.set()
        if troubled:  # nobody may be left to answer
            person.hopeless.set()
    for person in people:
        person.join(DRAIN_S)
    say(f"{sum(tally.values())} faults in {faulted_s:.0f} s; waiting for the end of what was accepted")
    report.faults += [f"{n.post.name}: {n.trouble}" for n in nemeses if n.trouble]
    report.faults += [odd for person in people for odd in person.odd]
    report.faults += [f"{thread.name} hangs" for thread in (*people, *nemeses) if thread.is_alive()]
    _drain(place, report)
    accepted = {str(run): ends for person in people for run, ends in person.accepted.items()}
    names = [name for person in people for name in person.names]
    verdict = place.call("orchestration.soak.inside:judge", effects, accepted, names)
    report.faults += verdict.pop("faults")
    report.figures = {
        "faults": dict(sorted(tally.items())), "seconds": round(time.monotonic() - began, 1),
        "faulted_seconds": round(faulted_s, 1), "accepted": len(accepted), "requests": sum(p.asked for p in people),
        "repeated_requests": sum(p.repeated for p in people), **verdict,
    }  # fmt: skip


def _posts(place: Installation, *, scale_out: bool) -> tuple[list[Post], list[int]]:
    """On SQLite one process has the engine; on PostgreSQL two engines and two workers, of which one may be dead."""
    ports = [free_port(), free_port()]
    webs = [["up", "--port", str(port), "--no-engine"] for port in ports]
    if not scale_out:
        return [Post(place, "server", *webs[0][:-1]), Post(place, "web", *webs[1])], ports
    posts = [Post(place, f"engine{number}", "engine") for number in (1, 2)]
    posts += [Post(place, f"worker{number}", "worker", "--concurrency", "4") for number in (1, 2)]
    return posts + [Post(place, f"web{number}", *argv) for number, argv in enumerate(webs)], ports


def _counter(kills: int) -> Callable[[], bool]:
    if not kills:
        return lambda: True
    left = threading.Semaphore(kills)
    return lambda: left.acquire(blocking=False)


def _until(script: Script, began: float, people: Sequence[Person | Feeder], nemeses: Sequence[Nemesis]) -> None:
    """The time is over, the kills are done, or nobody is there any more to go on."""
    while any(n.is_alive() for n in nemeses) and any(p.is_alive() for p in people):
        if not script.kills and time.monotonic() - began > script.minutes * 60:
            return
        if any(n.trouble for n in nemeses) or any(p.odd for p in people):
            return
        time.sleep(0.1)


def _drain(place: Installation, report: Report) -> None:
    """Every run ends, now that nothing goes wrong any more."""
    end = time.monotonic() + DRAIN_S
    while (left := place.call("orchestration.soak.inside:open_runs")) and time.monotonic() < end:
        time.sleep(0.5)
    if left:
        report.faults.append(f"{left} runs had not ended {DRAIN_S:g} s after the last fault")
