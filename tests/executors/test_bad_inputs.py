"""The addresses of the catalogue of bad inputs, given to the `http` executor: nothing is ever connected to."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import anyio
import pytest

from orchestration.executors import ExecutionContext, ExecutorError
from orchestration.executors.http import Http

pytestmark = pytest.mark.ssrf
CATALOGUE = Path(__file__).parents[1] / "api" / "bad_inputs.json"
NEED_AN_ANSWER = {"BI-171", "BI-172"}  # redirects: test_http.py has a server for them
ENTRIES = [
    entry
    for entry in json.loads(CATALOGUE.read_text())
    if entry["group"] == "ssrf" and "payload" in entry and entry["id"] not in NEED_AN_ANSWER
]
ADDRESSES = {"intranet.test": "10.0.0.5", "localhost": "127.0.0.1", "2130706433": "127.0.0.1"}


async def resolver(host, port):
    """What a system's resolver says, which also knows the short forms of addresses."""
    return [ADDRESSES.get(host, host)]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["id"])
def test_entry(entry, monkeypatch):
    tried = []

    async def connect(*args, **options):
        tried.append(args)
        raise OSError

    monkeypatch.setattr(anyio, "connect_tcp", connect)
    executor = Http()
    executor.resolver = resolver
    context = ExecutionContext(inputs=entry["payload"]["inputs"], params={}, idempotency_key="1:a")
    with pytest.raises(ExecutorError) as refused:
        asyncio.run(executor.run(context))
    assert refused.value.code == entry["expect"]["code"]
    assert tried == []
