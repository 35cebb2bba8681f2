"""The worker processes that attempts are handed out to, and what is free with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import Outcome

Key = tuple[str, int]  # task id as 32 hex digits, attempt number


@dataclass(frozen=True, slots=True)
class Seat:
    """What an attempt that was handed out occupies. *worker*: who is counted for it, "" = nobody who is alive."""

    isolated: bool
    queue: str
    worker: str = ""


@dataclass(slots=True)
class Post:
    """One worker: its free slots and the queues that it serves (none named = all)."""

    free: Slots
    queues: frozenset[str] = frozenset()

    def has(self, isolated: bool, queue: str) -> bool:
        return self.free.has(isolated, queue) and (not self.queues or queue in self.queues)

    @property
    def rank(self) -> tuple[int, int]:
        """Who is asked first: the most special worker, then the one with most room."""
        return (len(self.queues) or 1_000_000, -self.free.process - self.free.asynchronous)


@dataclass(slots=True)
class Fleet:
    """Free places over all live workers."""

    posts: dict[str, Post] = field(default_factory=dict)

    def has(self, isolated: bool, queue: str) -> bool:
        return any(post.has(isolated, queue) for post in self.posts.values())

    def take(self, isolated: bool, queue: str) -> str:
        """The worker whose slot is counted as taken: which one really runs it is decided by who asks first."""
        able = [(post.rank, name) for name, post in self.posts.items() if post.has(isolated, queue)]
        if not able:
            return ""
        name = min(able)[1]
        self.posts[name].free.take(isolated, queue)
        return name

    def copy(self) -> Fleet:
        return Fleet({name: Post(post.free.copy(), post.queues) for name, post in self.posts.items()})


class FleetSeats:
    """The engine's book of what it has handed out. `sit` and `leave` only after the commit that says so."""

    def __init__(self) -> None:
        self._workers: dict[str, Post] = {}
        self._seats: dict[Key, Seat] = {}

    def __len__(self) -> int:
        return len(self._seats)

    def __contains__(self, key: Key) -> bool:
        return key in self._seats

    def workers_are(self, workers: Mapping[str, Post]) -> None:
        """These are alive, with so many slots in all."""
        self._workers = dict(workers)

    def attempts_are(self, seats: Mapping[Key, Seat]) -> None:
        """These are in progress: what the rows say, after which nothing else is counted."""
        self._seats = dict(seats)

    def after(self, outcomes: Sequence[Outcome]) -> Fleet:
        ended = {(outcome.task_id, outcome.attempt) for outcome in outcomes if outcome.ends}
        fleet = Fleet({name: Post(post.free.copy(), post.queues) for name, post in self._workers.items()})
        unseated = []
        for key, seat in self._seats.items():
            if key in ended:
                continue
            if seat.worker in fleet.posts:
                fleet.posts[seat.worker].free.take(seat.isolated, seat.queue)
            else:
                unseated.append(seat)
        for seat in unseated:  # waits for any worker, and will take a place of one
            fleet.take(seat.isolated, seat.queue)
        return fleet

    def settle(self, outcomes: Iterable[Outcome], started: Iterable[tuple[Key, bool, str]]) -> None:
        """*outcomes* are committed, and *started* (key, isolated, queue) are handed out."""
        for outcome in outcomes:
            if outcome.ends:
                self._seats.pop((outcome.task_id, outcome.attempt), None)
        fleet = self.after([])
        for key, isolated, queue in started:
            self._seats[key] = Seat(isolated, queue, fleet.take(isolated, queue))
