"""Bounds of sockets: how many one person keeps open, and what a client may say on each."""

from __future__ import annotations

from collections import Counter, deque
from time import monotonic
from typing import Any

from django.conf import settings

from orchestration.consumers import TOO_BIG

MOST = 100  # per user and process
MOST_MESSAGES = 20  # in any second, per socket: pages and programs only listen
TOO_MANY = 4429


class FewSockets:
    """ASGI wrapper: the socket of a user beyond the MOST that are open is accepted and closed with TOO_MANY.

    Accepted first, because a refused handshake reaches a browser as a broken network.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        self.open: Counter[Any] = Counter()  # user id -> sockets; all in one event loop

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        user = scope["user"]
        if not user.is_authenticated:
            return await self.application(scope, receive, send)
        if self.open[user.pk] >= MOST:
            await send({"type": "websocket.accept"})
            return await send({"type": "websocket.close", "code": TOO_MANY})
        self.open[user.pk] += 1
        try:
            return await self.application(scope, receive, send)
        finally:
            self.open[user.pk] -= 1
            if not self.open[user.pk]:
                del self.open[user.pk]


class FewWords:
    """ASGI wrapper: a socket is closed with TOO_BIG for a message over MAX_SOCKET_BYTES, with TOO_MANY for more than
    MOST_MESSAGES in a second. The application sees a client that has gone."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        talk = _Talk(receive, send)
        return await self.application(scope, talk.receive, talk.send)


class _Talk:
    def __init__(self, receive: Any, send: Any) -> None:
        self._receive, self._send = receive, send
        self._times: deque[float] = deque(maxlen=MOST_MESSAGES)
        self._closed = False

    async def receive(self) -> Any:
        message = await self._receive()
        code = self._too_much(message) if message["type"] == "websocket.receive" else None
        if code is None:
            return message
        await self.send({"type": "websocket.close", "code": code})
        self._closed = True
        return {"type": "websocket.disconnect", "code": code}

    async def send(self, message: Any) -> None:
        """What comes after the end is for nobody: a server would take it for a mistake."""
        if not self._closed:
            await self._send(message)

    def _too_much(self, message: Any) -> int | None:
        """The code that it has to be closed with."""
        if _size(message) > settings.MAX_SOCKET_BYTES:
            return TOO_BIG
        now = monotonic()
        often = len(self._times) == MOST_MESSAGES and now - self._times[0] < 1
        self._times.append(now)
        return TOO_MANY if often else None


def _size(message: Any) -> int:
    text = message.get("text") or ""
    return len(message.get("bytes") or b"") + len(text.encode("utf-8", "surrogatepass"))
