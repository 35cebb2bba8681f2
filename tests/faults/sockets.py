"""A WebSocket client of a few lines: it may be as rude as a test needs it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct

MOST_BROKEN = 20


def handshake(port, path, cookie):
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", f"Origin: http://127.0.0.1:{port}",
        f"Cookie: {cookie}", "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def stuck(port, path, cookie):
    """A socket that has asked for everything and reads nothing."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect(("127.0.0.1", port))
    made.sendall(handshake(port, path, cookie))
    return made


def drained(made, timeout_s=20.0):
    """How many bytes still came, and the code of the close frame at the end (None: cut off)."""
    made.settimeout(timeout_s)
    with made:
        got = received(made)
    tail = got[-40:]
    at = tail.rfind(b"\x88")
    code = struct.unpack(">H", tail[at + 2 : at + 4])[0] if at >= 0 and len(tail) >= at + 4 else None
    return len(got), code


def received(made):
    """All that comes until the other side ends."""
    got = b""
    while True:
        try:
            chunk = made.recv(1 << 20)
        except ConnectionError:
            return got
        if not chunk:
            return got
        got += chunk


class Reader:
    """Follows a run; `seen` has the numbers of its events. `close`: as if the network had gone."""

    def __init__(self, port, run_id, cookie):
        self.port, self.run_id, self.cookie = port, run_id, cookie
        self.seen: list[int] = []
        self.code = None
        self.broken = 0
        self.writer = None

    async def open(self):
        self.stream, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        path = f"/ws/runs/{self.run_id}/?after={self.seen[-1] if self.seen else 0}"
        self.writer.write(handshake(self.port, path, self.cookie))
        head = await self.stream.readuntil(b"\r\n\r\n")
        assert b" 101 " in head.split(b"\r\n")[0], head

    async def read(self, upto=None):
        """Until event *upto* was seen, or to the end. A connection that breaks is made again, as every client does."""
        while upto is None or not self.seen or self.seen[-1] < upto:
            try:
                kind, payload = await self._frame()
            except (ConnectionError, asyncio.IncompleteReadError):
                self.broken += 1
                assert self.broken < MOST_BROKEN
                self.close()
                await self.open()
                continue
            if kind == 8:
                self.code = struct.unpack(">H", payload[:2])[0] if payload else 1005
                return
            if kind == 1:
                told = json.loads(payload)
                self.seen += [event["seq"] for event in told.get("events", [])]

    async def _frame(self):
        first, second = await self.stream.readexactly(2)
        size = second & 127
        if size > 125:
            width = 2 if size == 126 else 8
            size = int.from_bytes(await self.stream.readexactly(width), "big")
        return first & 15, await self.stream.readexactly(size)

    def close(self):
        if self.writer is not None:
            self.writer.transport.abort()
