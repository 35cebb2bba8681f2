"""The `http` executor: what it returns, and what it never connects to."""

import asyncio
import gzip
import ipaddress
import json
import re
from contextlib import asynccontextmanager

import pytest

from orchestration.executors import ExecutionContext, ExecutorError
from orchestration.executors.http import Http
from orchestration.executors.http_guard import AllowList, embedded_addresses, is_public

NAMES = ("public.test", "other.test")


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
        here = f"http://public.test:{self.port}"
        redirects = {
            "/loop": f"{here}/loop",
            "/relative": "/json",
            "/other": f"http://other.test:{self.port}/json",
            "/private": f"http://127.0.0.1:{self.port}/json",
            "/metadata": "http://169.254.169.254/latest/meta-data/",
            "/file": "file:///etc/passwd",
        }
        if path in redirects:
            self.send(writer, 302, b"", Location=redirects[path])
        elif path == "/huge":
            await self.endless(writer, b"x" * 65536)
        elif path == "/slow":
            await self.endless(writer, b"x", 0.05)
        elif path == "/bomb":
            self.send(writer, 200, gzip.compress(b"0" * 20_000_000), **{"Content-Encoding": "gzip"})
        elif path.startswith("/status/"):
            self.send(writer, int(path[8:]), b"why")
        elif path == "/bad-json":
            self.send(writer, 200, b'{"a":NaN}', **{"Content-Type": "application/json"})
        elif path == "/zipped":
            self.send(writer, 200, gzip.compress("é".encode()), **{"Content-Encoding": "gzip"})
        elif path == "/not-zipped":
            self.send(writer, 200, b"plain", **{"Content-Encoding": "gzip"})
        elif path == "/bytes":
            self.send(writer, 200, b"a\0b\xff")
        else:
            self.send(writer, 200, b'{"ok":true}', **{"Content-Type": "application/json"})
        await writer.drain()

    def send(self, writer, status, body, **headers):
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


@pytest.fixture
def call(settings):
    """`call(inputs)` -> result, listener; {port} in a URL is the listener's, which may be reached by two names only."""

    def go(inputs, addresses=None, **more):
        async def main():
            async with listening() as listener:
                await asyncio.sleep(0)
                allow = [f"{name}:{listener.port}" for name in NAMES]
                ports = [*settings.ORCHESTRATION["http_ports"], str(listener.port)]
                settings.ORCHESTRATION = settings.ORCHESTRATION | {"http_allow": allow, "http_ports": ports}
                executor = Http()

                async def resolver(host, port):
                    found = (addresses or {}).get(host) or (["127.0.0.1"] if host in NAMES else None)
                    return found or [host] if found or host[0].isdigit() or ":" in host else lookup(host)

                executor.resolver = resolver
                text = json.loads(json.dumps(inputs).replace("{port}", str(listener.port)))
                try:
                    found = await executor.run(ExecutionContext(inputs=text, params={}, idempotency_key="1:a", **more))
                except ExecutorError as error:
                    return error, listener
                return found, listener

        return asyncio.run(main())

    return go


def lookup(host):
    raise OSError(f"unknown host {host}")


def test_a_json_answer(call):
    found, listener = call(
        {"url": "http://public.test:{port}/json?a=1#x", "params": {"b": "2"}, "headers": {"X-A": "é b"[2:]}}
    )
    assert found["success"] is True
    assert (found["status_code"], found["method"], found["json"]) == (200, "GET", {"ok": True})
    head = listener.requests[0][0]
    assert head.startswith("GET /json?a=1&b=2 HTTP/1.1")
    assert f"Host: public.test:{listener.port}" in head
    assert "Idempotency-Key" not in head


def test_bodies_and_credentials(call):
    url = "http://public.test:{port}/json"
    _, listener = call({"url": url, "method": "post", "json": {"a": 1}, "auth": {"type": "bearer", "token": "T"}})
    head, body = listener.requests[0]
    assert json.loads(body) == {"a": 1}
    assert "Authorization: Bearer T" in head
    assert "Idempotency-Key: 1:a" in head
    _, listener = call({"url": url, "method": "PUT", "data": {"a": "b c"}, "auth": {"type": "basic", "username": "u"}})
    assert listener.requests[0][1] == b"a=b+c"
    assert "Authorization: Basic dTo=" in listener.requests[0][0]
    auth = {"type": "apikey", "name": "key", "value": "K", "in": "query"}
    _, listener = call({"url": url, "method": "PATCH", "text": "é", "auth": auth})
    assert listener.requests[0][1] == "é".encode()
    assert "?key=K " in listener.requests[0][0]


def test_a_bad_status_fails_unless_it_is_expected(call):
    logged = []
    error, _ = call({"url": "http://public.test:{port}/status/503"}, write_log=logged.append)
    assert re.fullmatch(r"GET http://public.test:\d+/status/503 answered 503", str(error))
    assert (error.code, error.retryable, logged) == ("http_status", True, ["why"])
    assert call({"url": "http://public.test:{port}/status/404"})[0].retryable is False
    assert call({"url": "http://public.test:{port}/status/404", "expect_status": [200, 404]})[0]["text"] == "why"
    assert call({"url": "http://public.test:{port}/json", "expect_status": 201})[0].code == "http_status"
    found, _ = call({"url": "http://public.test:{port}/status/500", "allow_errors": True})
    assert (found["success"], found["status_code"]) == (False, 500)


def test_odd_bodies_are_made_storable(call):
    assert call({"url": "http://public.test:{port}/bad-json"})[0]["text"] == '{"a":NaN}'
    assert call({"url": "http://public.test:{port}/zipped"})[0]["text"] == "é"
    assert call({"url": "http://public.test:{port}/not-zipped"})[0].code == "http_error"
    assert call({"url": "http://public.test:{port}/bytes"})[0]["text"] == "a\ufffdb\ufffd"


def test_redirects_are_followed_and_secrets_stay_with_their_host(call):
    headers = {"Authorization": "secret", "Cookie": "c=1", "X-Other": "kept"}
    found, listener = call({"url": "http://public.test:{port}/relative", "headers": headers})
    assert found["url"].endswith("/json")
    assert "authorization: secret" in listener.requests[1][0]
    auth = {"type": "apikey", "name": "X-My-Key", "value": "canary"}
    found, listener = call({"url": "http://public.test:{port}/other", "headers": headers, "auth": auth})
    assert found["success"]
    assert "canary" in listener.requests[0][0]
    last = listener.requests[1][0]
    assert "Host: other.test" in last
    assert "x-other: kept" in last
    assert not re.search("secret|c=1|canary", last)


@pytest.mark.parametrize(
    ("path", "code", "requests"),
    [
        ("/loop", "too_many_redirects", 6),
        ("/private", "blocked_address", 1),
        ("/metadata", "blocked_address", 1),
        ("/file", "invalid_url", 1),
        ("/huge", "response_too_large", 1),
        ("/bomb", "response_too_large", 1),
    ],
)
def test_what_an_answer_must_not_do(call, path, code, requests):
    error, listener = call({"url": "http://public.test:{port}" + path})
    assert error.code == code
    assert len(listener.requests) == requests


def test_the_deadline_is_for_the_whole_exchange(call):
    error, _ = call({"url": "http://public.test:{port}/slow", "timeout_s": 0.3})
    assert (error.code, str(error)) == ("timeout", "total deadline of 0.3 s passed")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
        "169.254.169.254",
        "10.0.0.5",
        "192.168.1.1",
        "100.64.0.1",
        "224.0.0.1",
        "①②⑦.⓪.⓪.①",
        "intranet.test",
        "half.test",
        "public.test.",
    ],
)
def test_no_private_address_is_ever_connected_to(call, host):
    addresses = {
        "127.1": ["127.0.0.1"],
        "localhost": ["::1", "127.0.0.1"],
        "2130706433": ["127.0.0.1"],
        "0x7f000001": ["127.0.0.1"],
        "intranet.test": ["10.0.0.5"],
        "half.test": ["93.184.216.34", "127.0.0.1"],
        "public.test": ["127.0.0.1"],
    }
    port = ":{port}" if host != "public.test." else ":8000"
    error, listener = call({"url": f"http://{host}{port}/"}, addresses)
    assert error.code == "blocked_address"
    assert "address not allowed" in str(error)
    assert error.retryable is False
    assert listener.connections == 0


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("file:///etc/passwd", "invalid_url"),
        ("gopher://a.test/", "invalid_url"),
        ("//evil.test/", "invalid_url"),
        ("http:///x", "invalid_url"),
        ("http://evil.test\\@127.0.0.1/", "invalid_url"),
        ("http://user:pw@h.test/", "invalid_url"),
        ("http://user@h.test/", "invalid_url"),
        ("http://@h.test/", "invalid_url"),
        ("http://h.test:99999/", "invalid_url"),
        ("http://h.te st/", "invalid_url"),
        ("http://h.test/\r\nX: y", "invalid_url"),
        ("http://h.test\uff0f.127.0.0.1/", "invalid_url"),
        ("", "invalid_url"),
        (None, "invalid_url"),
        ("http://h.test:22/", "blocked_port"),
        ("http://unknown.test/", "http_error"),
    ],
)
def test_bad_urls_are_refused(call, url, code):
    error, listener = call({"url": url})
    assert error.code == code
    assert listener.connections == 0


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"headers": {"X": "a\r\nY: b"}}, "invalid_header"),
        ({"headers": {"X\n": "a"}}, "invalid_header"),
        ({"headers": {"Host": "internal"}}, "invalid_header"),
        ({"headers": {"é": "a"}}, "invalid_header"),
        ({"headers": {"": "a"}}, "invalid_header"),
        ({"headers": {"X": ["a"]}}, "invalid_inputs"),
        ({"auth": {"type": "bearer", "token": "a\nb"}}, "invalid_header"),
        ({"auth": {"type": "magic"}}, "invalid_inputs"),
        ({"method": "CONNECT"}, "invalid_inputs"),
        ({"method": "POST", "json": 1, "text": "x"}, "invalid_inputs"),
        ({"timeout_s": 0}, "invalid_inputs"),
        ({"timeout_s": True}, "invalid_inputs"),
    ],
)
def test_bad_inputs_are_refused(call, inputs, code):
    error, listener = call({"url": "http://public.test:{port}/json"} | inputs)
    assert error.code == code
    assert listener.connections == 0


def test_proxies_of_the_environment_are_ignored(call, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert call({"url": "http://public.test:{port}/json"})[0]["success"] is True


def test_an_administrator_can_allow_private_places():
    allow = AllowList(["10.1.0.0/16", "192.168.0.7", "db.internal:8080", "any.internal", "127.0.0.1:9000"], ["80"])
    ten, loop = ipaddress.ip_address("10.1.2.3"), ipaddress.ip_address("127.0.0.1")
    assert allow.allows(ten, "x.test", 80)
    assert allow.allows(ipaddress.ip_address("::ffff:10.1.2.3"), "x.test", 80)
    assert not allow.allows(ipaddress.ip_address("10.2.2.3"), "x.test", 80)
    assert allow.allows(ipaddress.ip_address("192.168.0.7"), "x.test", 80)
    assert allow.allows(loop, "db.internal", 8080)
    assert not allow.allows(loop, "db.internal", 80)
    assert allow.allows(loop, "any.internal", 1)
    assert allow.allows(loop, "127.0.0.1", 9000)
    allow.check_port("db.internal", 8080)
    with pytest.raises(ExecutorError, match="port 8080 is not allowed"):
        allow.check_port("x.test", 8080)


def test_embedding_forms_are_unwrapped():
    def leads_to(text):
        return [str(one) for one in embedded_addresses(ipaddress.ip_address(text))]

    assert leads_to("::ffff:1.2.3.4") == ["1.2.3.4"]
    assert leads_to("64:ff9b::102:304") == ["1.2.3.4"]
    assert leads_to("2002:102:304::1") == ["1.2.3.4"]
    assert leads_to("::1.2.3.4") == ["1.2.3.4"]
    assert "10.0.0.1" in leads_to("2001:0:a00:1::f5ff:fffe")
    assert is_public(ipaddress.ip_address("2606:4700::1111"))
    assert not is_public(ipaddress.ip_address("2001:db8::1"))
