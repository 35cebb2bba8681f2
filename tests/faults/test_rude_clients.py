"""S4 and S12 against a real server: what is too long is refused while it comes, and kept nowhere."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
from http.client import HTTPResponse

import psutil
import pytest
from django.conf import settings

from apflow_site.sockets import TOO_MANY
from orchestration.consumers import DONE, TOO_BIG
from tests.faults.sockets import drained, received, stuck
from tests.faults.support import Place, until

pytestmark = [pytest.mark.fault, pytest.mark.limits, pytest.mark.slow]

LIMIT = settings.MAX_BODY_BYTES
MIB = 1024 * 1024
WAIT_S = 60.0


@pytest.fixture(scope="module")
def place(nursery, template, tmp_path_factory):
    with Place(tmp_path_factory.mktemp("rude"), nursery, template, {}) as place:
        yield place


@pytest.fixture(scope="module")
def server(place):
    return place.web()


def spooled(server):
    """Bytes that the server holds in files without a name: where bodies go."""
    size = 0
    for number in os.listdir(f"/proc/{server.pid}/fd"):
        with contextlib.suppress(OSError):
            path = f"/proc/{server.pid}/fd/{number}"
            if "(deleted)" in os.readlink(path):
                size += os.stat(path).st_size
    return size


def connected(server, path, *headers, kind="application/json"):
    made = socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S)
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", f"Content-Type: {kind}", *headers]
    made.sendall("\r\n".join([*lines, "", ""]).encode())
    return made


def answer(made):
    """(status, type, body); the server ends the connection by itself."""
    response = HTTPResponse(made)
    response.begin()
    body = response.read()
    assert received(made) == b""
    return response.status, response.getheader("Content-Type").split(";")[0], body


def refused_in_json(made):
    status, kind, body = answer(made)
    assert (status, kind) == (413, "application/json")
    return json.loads(body)["error"]["code"] == "body_too_large"


def test_a_body_without_a_length_is_cut_where_it_gets_too_long(server):
    """Its sender goes on for as long as anything is taken."""
    made = connected(server, "/api/v1/trees/", "Transfer-Encoding: chunked")
    before, sent, most = psutil.Process(server.pid).memory_info().rss, 0, 0
    piece = f"{1 << 16:x}\r\n".encode() + bytes(1 << 16) + b"\r\n"
    with made:
        while not select.select([made], [], [], 0)[0]:
            made.sendall(piece)
            sent += 1 << 16
            most = max(most, spooled(server))
            assert sent < 50 * LIMIT, "taken without end"
        for _ in range(8 * LIMIT >> 16):  # dropped, so that the answer is not lost
            made.sendall(piece)
            most = max(most, spooled(server))
        assert refused_in_json(made)
    assert 0 < most <= LIMIT
    assert psutil.Process(server.pid).memory_info().rss - before < 2 * LIMIT
    until(lambda: spooled(server) == 0, "that what came is gone")


def test_an_announced_length_is_answered_before_anything_comes(server):
    long = "Content-Length: 999999999999"
    for path in ("/api/v1/trees/", "/hooks/x"):
        with connected(server, path, long) as made:
            assert refused_in_json(made)
    with connected(server, "/apflow/tasks", long, "Expect: 100-continue") as made:
        status, kind, body = answer(made)
        assert (status, kind, json.loads(body)["error"]["data"]["code"]) == (413, "application/json", "body_too_large")
    with connected(server, "/login/", long, "Upgrade: websocket") as made:
        assert answer(made)[:2] == (413, "text/html")
    assert spooled(server) == 0
    with connected(server, "/api/v1/trees/", f"Content-Length: {LIMIT}", "Connection: close") as made:
        made.sendall(bytes(LIMIT))
        assert answer(made)[0] == 401, "what is not too long is read, and judged by who sends it"
    with connected(server, "/login/", "Content-Length: 1", "Connection: close", kind="multipart/form-data") as made:
        made.sendall(b"x")
        assert answer(made)[1] == "text/html", "a form that is none is refused by the site, not by Twisted"


def head(size, *, code=1, last=True):
    """The beginning of a masked frame of *size* bytes."""
    length = [0x80 | size] if size < 126 else [0x80 | 126 if size < 1 << 16 else 0x80 | 127]
    wide = b"" if size < 126 else struct.pack(">H" if size < 1 << 16 else ">Q", size)
    return bytes([0x80 * last | code, *length]) + wide + bytes(4)


def frame(size, **options):
    return head(size, **options) + bytes(size)


@pytest.mark.ws
def test_sockets_of_clients_that_say_too_much_are_closed(place, server):
    cookie = place.call("tests.faults.inside:session")
    run = place.begin(place.task("a"))

    def code_after(said, kind=""):
        made = stuck(server.port, f"/ws/runs/{run}/{kind}", cookie)
        until(lambda: select.select([made], [], [], 0)[0], "an answer")
        made.sendall(said)
        return drained(made)[1]

    assert {code_after(head(4 * MIB), kind) for kind in ("", "page/", "graph/")} == {TOO_BIG}
    assert code_after(frame(40_000, last=False) + frame(40_000, code=0)) == TOO_BIG, "in parts"
    assert code_after(frame(1) * 21, "graph/") == TOO_MANY
    enough = frame(settings.MAX_SOCKET_BYTES) + frame(1) * 19
    assert code_after(enough + head(2, code=8) + struct.pack(">H", DONE)) == DONE, "its own goodbye is returned"
    assert "Traceback" not in place.log("up")
