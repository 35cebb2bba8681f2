"""Work that several viewers ask for at the same time is done once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any


class Once:
    """A memory of what has been made, by key; *cost_s* is the time that making it has taken."""

    def __init__(self) -> None:
        self.cost_s = 0.0
        self._made: dict[Hashable, asyncio.Future[Any]] = {}

    async def get[T](self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """What *make* gives, called by the first that asks for *key*."""
        if key not in self._made:
            self._made[key] = asyncio.ensure_future(self._timed(make))
        made: T = await asyncio.shield(self._made[key])
        return made

    async def _timed[T](self, make: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            return await make()
        finally:
            self.cost_s += loop.time() - started


class Fresh:
    """What is made anew, but for all together who have asked before the making began: never older than the question."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, asyncio.Task[Any]] = {}
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}

    async def get[T](self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """What *make* gives, of a call that begins after this one. Raises what *make* raises."""
        task = self._waiting.get(key)
        if task is None:
            task = self._waiting[key] = asyncio.ensure_future(self._next(key, make))
        made: T = await asyncio.shield(task)
        return made

    async def _next[T](self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        if key in self._under_way:
            await asyncio.wait([self._under_way[key]])
        self._under_way[key] = self._waiting.pop(key)
        try:
            return await make()
        finally:
            del self._under_way[key]


class Gathered[K: Hashable, V]:
    """Questions that come within *patience_s* are answered by one call of *answer*."""

    def __init__(self, answer: Callable[[list[K]], Awaitable[dict[K, V]]], patience_s: float) -> None:
        self.answer = answer
        self.patience_s = patience_s
        self._batch: tuple[set[K], asyncio.Task[dict[K, V]]] | None = None

    async def ask(self, key: K) -> V:
        """The answer to *key*. Raises what *answer* raises."""
        if self._batch is None:
            keys: set[K] = set()
            self._batch = keys, asyncio.ensure_future(self._collect(keys))
        asked, task = self._batch
        asked.add(key)
        return (await asyncio.shield(task))[key]

    async def _collect(self, keys: set[K]) -> dict[K, V]:
        await asyncio.sleep(self.patience_s)
        self._batch = None
        return await self.answer(list(keys))
