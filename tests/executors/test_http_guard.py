"""The `http` executor: what it never connects to."""

from __future__ import annotations

import ipaddress

import pytest

from orchestration.executors import ExecutorError
from orchestration.executors.http_guard import AllowList, embedded_addresses, is_public

pytestmark = pytest.mark.ssrf


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


def test_an_administrator_can_allow_private_places():
    allow = AllowList(["10.1.0.0/16", "192.168.0.7", "db.internal:8080", "any.internal", "127.0.0.1:9000"], ["80"])
    ten, loop = ipaddress.ip_address("10.1.2.3"), ipaddress.ip_address("127.0.0.1")
    for address, host, port in (
        (ten, "x.test", 80), (ipaddress.ip_address("::ffff:10.1.2.3"), "x.test", 80),
        (ipaddress.ip_address("192.168.0.7"), "x.test", 80), (loop, "db.internal", 8080), (loop, "any.internal", 1),
        (loop, "127.0.0.1", 9000),
    ):  # fmt: skip
        allow.check(address, host, port)
    for address, host in ((ipaddress.ip_address("10.2.2.3"), "x.test"), (loop, "db.internal")):
        with pytest.raises(ExecutorError, match="address not allowed"):
            allow.check(address, host, 80)
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
