"""A secret reaches the host that it was meant for, and no other that a redirect names."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.ssrf, pytest.mark.secrets]
SECRET = "hunter22"
KNOWN = {"secrets": frozenset({SECRET})}


def sent(listener):
    return [head + body.decode() for head, body in listener.requests]


@pytest.mark.parametrize(
    "inputs",
    [
        {"headers": {"X-Key": SECRET}}, {"headers": {"X-Key": f"key={SECRET};v=1"}}, {"headers": {"Cookie": SECRET}},
        {"auth": {"type": "bearer", "token": SECRET}}, {"auth": {"type": "apikey", "name": "X-Mine", "value": SECRET}},
        {"method": "POST", "json": {"password": SECRET}}, {"method": "POST", "text": SECRET},
        {"params": {"key": SECRET}},
    ],
)  # fmt: skip
def test_another_host_gets_the_rest_without_it(call, inputs):
    found, listener = call({"url": "http://public.test:{port}/other"} | inputs, **KNOWN)
    first, second = sent(listener)
    assert SECRET in first
    assert SECRET not in second
    assert "Host: other.test" in second
    assert found["success"] is True


def test_the_same_host_gets_it_again(call):
    _, listener = call({"url": "http://public.test:{port}/relative", "headers": {"X-Key": SECRET}}, **KNOWN)
    assert [SECRET in request for request in sent(listener)] == [True, True]


@pytest.mark.parametrize(
    "inputs",
    [
        {"url": "http://public.test:{port}/other-with-body", "method": "POST", "text": f"a {SECRET} b"},
        {"url": f"http://public.test:{{port}}/echo-away/{SECRET}"},
    ],
)
def test_a_redirect_that_would_carry_it_away_is_not_followed(call, inputs):
    error, listener = call(inputs, **KNOWN)
    assert (error.code, error.retryable) == ("blocked_redirect", False)
    assert "other.test" in str(error)
    assert SECRET not in str(error)
    assert len(listener.requests) == 1
