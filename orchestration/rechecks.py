"""Whether somebody may go on watching, asked again and again beside the news, which do not wait for the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

LOOK_S = 0.1  # how often one looks for an answer that is on its way


class Recheck[T]:
    """Asks *ask* every *every_s* seconds. Use it in one task, by `with`: at the end nobody waits for an answer."""

    def __init__(self, ask: Callable[[], Awaitable[T]], every_s: float) -> None:
        self._ask = ask
        self._every_s = every_s
        self._at = time.monotonic() + every_s
        self._asking: asyncio.Future[T] | None = None

    @property
    def patience(self) -> float:
        """Seconds after which to call `answer` again."""
        return LOOK_S if self._asking is not None else max(0.0, self._at - time.monotonic())

    def answer(self) -> T | None:
        """The answer to the last question, once; None while there is none. Asks when it is time to. Raises what *ask*
        raised."""
        if self._asking is None:
            if time.monotonic() >= self._at:
                self._at = time.monotonic() + self._every_s
                self._asking = asyncio.ensure_future(self._ask())
            return None
        if not self._asking.done():
            return None
        asked, self._asking = self._asking, None
        return asked.result()

    def __enter__(self) -> Recheck[T]:
        return self

    def __exit__(self, *_: object) -> None:
        if self._asking is not None:
            self._asking.cancel()
