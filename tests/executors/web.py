"""A web server that the `http` executor may reach by two names, and nothing else."""

from __future__ import annotations

import asyncio
import gzip
import re
from contextlib import asynccontextmanager

NAMES = ("public.test", "other.test")
JSON = "application/json"
FINE = (200, b'{"ok":true}', JSON)
ENDLESS = {"huge": (b"x" * 65536,), "slow": (b"x", 0.05)}  # chunk, pause in seconds


def answers(rest):
    """First part of the path -> (status, body, content type, content encoding); *rest*: of the path."""
    return {
        "bomb": (200, gzip.compress(b"0" * 20_000_000), "", "gzip"),
        "status": (int(rest) if rest.isdigit() else 500, b"why"),
        "bad-json": (200, b'{"a":NaN}', JSON),
        "zipped": (200, gzip.compress("é".encode()), "", "gzip"),
        "not-zipped": (200, b"plain", "", "gzip"),
        "bytes": (200, b"a\0b\xff"),
    }


class Listener:
    """A loopback web server that counts connections and answers by path."""

    def __init__(self):
        self.connections = 0
        self.requests = []
        self.port = 0

    async def handle(self, reader, writer):
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            size = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(size[1])) if size else b""
            path = head.split(" ")[1]
            self.requests.append((head, body))
            await self.answer(path, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, path, writer):
        name, _, rest = path.partition("?")[0][1:].partition("/")
        if name in self.redirects():
            status, where = self.redirects()[name]
            self.send(writer, status, b"", Location=where + rest)
        elif name in ENDLESS:
            await self.endless(writer, *ENDLESS[name])
        else:
            self.send(writer, *answers(rest).get(name, FINE))
        await writer.drain()

    def redirects(self):
        here, other = (f"http://{name}:{self.port}" for name in NAMES)
        return {
            "loop": (302, f"{here}/loop"),
            "relative": (302, "/json"),
            "other": (302, f"{other}/json"),
            "other-with-body": (307, f"{other}/json"),
            "echo-away": (302, f"{other}/json?"),
            "private": (302, f"http://127.0.0.1:{self.port}/json"),
            "metadata": (302, "http://169.254.169.254/latest/meta-data/"),
            "file": (302, "file:///etc/passwd"),
        }

    def send(self, writer, status, body, kind="", encoding="", **headers):
        headers |= {"Content-Type": kind} if kind else {}
        headers |= {"Content-Encoding": encoding} if encoding else {}
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)

    async def endless(self, writer, chunk, pause=0.0):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")
        while True:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause)


@asynccontextmanager
async def listening():
    listener = Listener()
    server = await asyncio.start_server(listener.handle, "127.0.0.1")
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()


def lookup(host):
    raise OSError(f"unknown host {host}")
