"""A server that waits for slow readers. Daphne buffers whatever an application sends, without a limit."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from daphne.server import Server

MOST_UNSENT = 256 * 1024  # bytes that wait in this process for one reader
MOST_IN_KERNEL = 128 * 1024  # which doubles it; by itself it would take up to 4 MiB for one that reads nothing
LOOK_S = 0.05


class PatientServer(Server):
    """`send` of a socket, or of a streamed answer, returns when the reader has taken most of what was sent before.

    So the application can bound its patience, and nothing piles up, for a socket not even in the kernel. Not so for
    the end of an answer: what its request holds (a connection of the database) must not depend on how fast somebody
    reads.
    """

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept" and self._is_open(protocol):
            protocol.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_IN_KERNEL)
        await super().handle_reply(protocol, message)
        if message["type"] == "websocket.send" or message.get("more_body"):
            while self._is_open(protocol) and unsent(protocol.transport) > MOST_UNSENT:
                await asyncio.sleep(LOOK_S)

    def _is_open(self, protocol: Any) -> bool:
        details = self.connections.get(protocol)
        return details is not None and not details.get("disconnected")


def unsent(transport: Any) -> int:
    """Bytes that the kernel has not taken yet."""
    buffered = len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
    return buffered + int(getattr(transport, "_tempDataLen", 0))
