"""Many WebSocket clients in one process that cost next to nothing: what is measured is the server."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

HOST = "127.0.0.1"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
EVENT = b'"seq": '  # of an event in a message for programs
HEAD = re.compile(rb'data-seq="(\d+)"')  # of the header in a message for pages
LOST = 1006  # the connection ended without a word


@dataclass(frozen=True, slots=True)
class Message:
    """When it came, the number of its last event, how many events it has, its size."""

    at: float
    seq: int
    events: int
    size: int


def of_program(payload: bytes, at: float) -> Message | None:
    """What a message of /ws/runs/<id>/ tells."""
    place = payload.rfind(EVENT)
    seq = int(payload[place + len(EVENT) : payload.index(b",", place)]) if place >= 0 else 0
    return Message(at, seq, payload.count(EVENT), len(payload)) if seq else None


def of_page(payload: bytes, at: float) -> Message | None:
    """What a message of /ws/runs/<id>/page/ tells; None for a sign of life."""
    found = HEAD.search(payload)
    return Message(at, int(found[1]), 0, len(payload)) if found else None


@dataclass(eq=False)
class Viewer(asyncio.Protocol):
    """One connection and what came over it."""

    path: str
    cookie: str
    read: Callable[[bytes, float], Message | None]
    messages: list[Message] = field(default_factory=list)
    closed: int = 0  # code
    _buffer: bytearray = field(default_factory=bytearray)
    _shaken: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def seq(self) -> int:
        """The newest event that it knows of."""
        return self.messages[-1].seq if self.messages else 0

    @property
    def open_for_messages(self) -> bool:
        """Whether the handshake is over."""
        return self._shaken

    async def open(self, port: int, buffer_bytes: int = 0) -> Viewer:
        """Itself, once the connection stands; the handshake goes on. *buffer_bytes*: that the system may keep."""
        connection = socket.socket()
        connection.setblocking(False)
        if buffer_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, (HOST, port))
        transport, _ = await loop.create_connection(lambda: self, sock=connection)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {self.path} HTTP/1.1", f"Host: {HOST}:{port}", f"Origin: http://{HOST}:{port}", "Upgrade: websocket",
            "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", f"Cookie: {self.cookie}",
        ]  # fmt: skip
        transport.write("\r\n".join([*lines, "", ""]).encode())
        return self

    async def until(self, true: Callable[[Viewer], bool]) -> None:
        """Returns once *true* holds of it. Raises ConnectionError when it ends before."""
        while not true(self):
            if self.closed:
                raise ConnectionError(f"{self.path} was closed with {self.closed}")
            self._news.clear()
            await self._news.wait()

    def leave(self) -> None:
        """The connection is gone, without a word."""
        self.transport.abort()

    def say(self, text: str) -> None:
        """Send *text* (short)."""
        self._send(TEXT, text.encode())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = self.closed or LOST
        self._news.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._shaken:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if b" 101 " not in self._buffer[:end]:
                self.transport.abort()
                return
            self._shaken = True
            del self._buffer[: end + 4]
        while self._frame():
            self._news.set()

    def _frame(self) -> bool:
        data = self._buffer
        if len(data) < 2:
            return False
        size, start = data[1] & 127, 2
        if size >= 126:
            width = 2 if size == 126 else 8
            if len(data) < start + width:
                return False
            size, start = int.from_bytes(data[start : start + width], "big"), start + width
        if len(data) < start + size:
            return False
        payload = bytes(data[start : start + size])
        code = data[0] & 15
        del data[: start + size]
        self._got(code, payload)
        return True

    def _got(self, code: int, payload: bytes) -> None:
        if code == TEXT:
            message = self.read(payload, time.time())
            if message is not None:
                self.messages.append(message)
        elif code == PING:
            self._send(PONG, payload)
        elif code == CLOSE:
            self.closed = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
            self.transport.close()

    def _send(self, code: int, payload: bytes) -> None:
        """A masked frame, as clients have to send; the mask is 0."""
        self.transport.write(bytes([0x80 | code, 0x80 | len(payload)]) + b"\0\0\0\0" + payload)
