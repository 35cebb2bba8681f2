"""The worker processes that attempts are handed out to, and what is free with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import Outcome

Key = tuple[str, int]  # task id as 32 hex digits, attempt number

ANY = 1_000_000  # queues that a worker serves when none are named


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


@dataclass(slots=True)
class Fleet:
    """Free places over all live workers."""

    posts: dict[str, Post] = field(default_factory=dict)

    def has(self, isolated: bool, queue: str) -> bool:
        return any(post.has(isolated, queue) for post in self.posts.values())

    def take(self, isolated: bool, queue: str) -> str:
        """The worker whose slot is counted as taken: the most special one, then the one with most room, then by name.
        Which one really runs it is decided by who asks first. Called once per attempt: no calls in here."""
        best: tuple[int, int, str] | None = None
        for name, post in self.posts.items():
            free = post.free
            if (free.process if isolated else free.asynchronous) > 0 and (not post.queues or queue in post.queues):
                rank = (len(post.queues) or ANY, -free.process - free.asynchronous, name)
                if best is None or rank < best:
                    best = rank
        if best is None:
            return ""
        self.posts[best[2]].free.take(isolated, queue)
        return best[2]

    def give(self, seat: Seat | None) -> None:
        """The opposite of `take`."""
        if seat is not None and seat.worker in self.posts:
            self.posts[seat.worker].free.give(seat.isolated, seat.queue)

    def copy(self) -> Fleet:
        return Fleet({name: Post(post.free.copy(), post.queues) for name, post in self.posts.items()})


class FleetSeats:
    """The engine's book of what it has started or handed out, and so of what is free."""

    def __init__(self, posts: Mapping[str, Post] | None = None) -> None:
        self._posts = dict(posts or {})
        self._seats: dict[Key, Seat] = {}
        self._free = Fleet(self._posts).copy()

    def __len__(self) -> int:
        return len(self._seats)

    def __contains__(self, key: object) -> bool:
        return key in self._seats

    def are(self, posts: Mapping[str, Post], seats: Mapping[Key, Seat]) -> None:
        """These workers are alive, with so many slots in all, and these attempts are in progress: so say the rows."""
        self._posts = dict(posts)
        self._free = Fleet(self._posts).copy()
        self._seats = {}
        for key, seat in sorted(seats.items(), key=lambda item: item[1].worker not in posts):
            if seat.worker in posts:
                self._free.posts[seat.worker].free.take(seat.isolated, seat.queue)
                self._seats[key] = seat
            else:  # waits for any worker, and will take a place of one
                self._sit(key, seat.isolated, seat.queue)

    def after(self, outcomes: Iterable[Outcome]) -> Fleet:
        """What is free once *outcomes* are committed."""
        fleet = self._free.copy()
        for key in dict.fromkeys((outcome.task_id, outcome.attempt) for outcome in outcomes if outcome.ends):
            fleet.give(self._seats.get(key))
        return fleet

    def settle(self, outcomes: Iterable[Outcome], started: Iterable[tuple[Key, bool, str]] = ()) -> None:
        """*outcomes* have been committed, and *started* (key, isolated, queue) with them."""
        for outcome in outcomes:
            if outcome.ends:
                self._free.give(self._seats.pop((outcome.task_id, outcome.attempt), None))
        for key, isolated, queue in started:
            self._sit(key, isolated, queue)

    def _sit(self, key: Key, isolated: bool, queue: str) -> None:
        self._seats[key] = Seat(isolated, queue, self._free.take(isolated, queue))
