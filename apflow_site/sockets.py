"""A bound on the sockets that one person keeps open."""

from __future__ import annotations

from collections import Counter
from typing import Any

MOST = 100  # per user and process
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
