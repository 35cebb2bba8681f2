"""The `http` executor: what it sends, returns and follows."""

from __future__ import annotations

import json
import re

import pytest

pytestmark = pytest.mark.ssrf


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
