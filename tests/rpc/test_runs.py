"""Runs by an engine, asked for and watched through the protocol."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient

from orchestration.engine.embedded import EmbeddedEngine
from tests.factories import make_user
from tests.rpc.conftest import Rpc, secret_of
from tests.stream.support import QUICK

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_S = 60.0
CHAIN = [
    {"id": "r", "name": "Report", "dependencies": ["b"]},
    {"id": "a", "name": "load", "parent_id": "r", "params": {"executor_id": "simulate"},
     "inputs": {"duration_s": 0.05, "result": {"rows": 3}}},
    {"id": "b", "name": "send", "parent_id": "r", "params": {"executor_id": "noop"}, "dependencies": ["a"]},
]  # fmt: skip
FAILING = [
    {"id": "r", "name": "Report", "dependencies": ["b"]},
    {"id": "a", "name": "load", "parent_id": "r", "params": {"executor_id": "simulate"},
     "inputs": {"duration_s": 0, "fail": "no rows"}},
    {"id": "b", "name": "send", "parent_id": "r", "params": {"executor_id": "noop"}, "dependencies": ["a"]},
]  # fmt: skip
ENDLESS = [{"name": "slow", "params": {"executor_id": "simulate"}, "inputs": {"duration_s": 60}}]


@pytest.fixture
async def engine():
    engine = EmbeddedEngine(QUICK)
    await engine.start()
    yield engine
    await engine.stop()
    await sync_to_async(connections.close_all)()


@pytest.fixture
async def secret():
    return await sync_to_async(lambda: secret_of(make_user("ann")))()


async def call(secret, method, **params):
    return await sync_to_async(Rpc(secret).call)(method, params)


async def until_ended(secret, task_id):
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        task = await call(secret, "tasks.get", task_id=task_id)
        if task["status"] in ("completed", "failed", "cancelled"):
            return task
        await asyncio.sleep(0.02)
    raise AssertionError(f"not ended in time: {task}")


async def stream(secret, **params):
    """The frames, first the JSON-RPC answer."""
    body = json.dumps(
        {"jsonrpc": "2.0", "id": "s", "method": "tasks.execute", "params": params | {"use_streaming": True}}
    )
    headers = {"Authorization": f"Bearer {secret}", "Accept": "text/event-stream"}
    response = await AsyncClient().post("/apflow/tasks", body, content_type="application/json", headers=headers)
    assert response["Content-Type"] == "text/event-stream"
    async with asyncio.timeout(WAIT_S):
        text = b"".join([part async for part in response.streaming_content]).decode()
    return [json.loads(frame.removeprefix("data: ")) for frame in text.split("\n\n") if frame.startswith("data: ")]


async def test_create_execute_poll_and_read_the_results(engine, secret):
    root, load, send = await call_create(secret, CHAIN)
    started = await call(secret, "tasks.execute", task_id=root["id"])
    assert started["status"] == "started"
    ended = await until_ended(secret, root["id"])
    assert (ended["status"], ended["progress"], ended["error"]) == ("completed", 1.0, None)
    tree = await call(secret, "tasks.tree", task_id=root["id"])
    assert {n["task"]["status"] for n in tree["children"]} == {"completed"}
    assert (await call(secret, "tasks.get", task_id=load["id"]))["result"] == {"rows": 3}
    (linked, *_) = await call(secret, "tasks.clone", task_id=root["id"], origin_type="link")
    assert (linked["status"], linked["origin_type"]) == ("completed", "link")
    links = await call(secret, "tasks.children", parent_id=linked["id"])
    assert {"rows": 3} in [t["result"] for t in links]
    archived = await call(secret, "tasks.clone", task_id=root["id"], origin_type="archive")
    assert [t["status"] for t in archived] == ["completed"] * 3
    mixed = await call(secret, "tasks.clone", task_id=root["id"], origin_type="mixed", link_task_ids=load["id"])
    assert [t["status"] for t in mixed] == ["pending", "completed", "pending"]
    refused = await sync_to_async(Rpc(secret).error)("tasks.delete", {"task_id": root["id"]})
    assert refused["code"] == -32009
    assert "task has 2 non-pending children: [load: completed, send: completed]" in refused["message"]
    assert (await call(secret, "tasks.execute", task_id=send["id"]))["success"]
    assert (await until_ended(secret, send["id"]))["attempt_id"] == 2


async def call_create(secret, tasks):
    return await sync_to_async(Rpc(secret).call)("tasks.create", tasks)


async def test_a_failure_is_told_and_the_root_does_not_hang(engine, secret):
    root, _, send = await call_create(secret, FAILING)
    await call(secret, "tasks.execute", task_id=root["id"])
    ended = await until_ended(secret, root["id"])
    assert ended["status"] == "failed"
    assert "1 failed" in ended["error"]
    blocked = await call(secret, "tasks.get", task_id=send["id"])
    assert (blocked["status"], blocked["error"]) == ("pending", "Blocked: 'load' did not complete")
    assert (await call(secret, "tasks.count"))["failed"] == 2


async def test_cancel_stops_what_runs(engine, secret):
    started = await call(secret, "tasks.execute", tasks=ENDLESS)
    deadline = time.monotonic() + WAIT_S
    while (await call(secret, "tasks.running.status", task_ids=[started["task_id"]]))[0]["status"] != "in_progress":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    (outcome,) = await call(secret, "tasks.cancel", task_id=started["task_id"], error_message="enough")
    assert outcome["status"] in ("cancelled", "cancelling")
    ended = await until_ended(secret, started["task_id"])
    assert (ended["status"], "enough" in ended["error"]) == ("cancelled", True)


async def test_a_stream_has_every_task_and_one_final_event(engine, secret):
    first, *events = await stream(secret, tasks=CHAIN)
    assert first["id"] == "s"
    assert (first["result"]["status"], first["result"]["streaming"]) == ("started", True)
    root = first["result"]["root_task_id"]
    assert {e["root_task_id"] for e in events} == {root}
    kinds = [e["type"] for e in events]
    assert (kinds[0], kinds[-2:]) == ("progress", ["final", "stream_end"])
    assert (kinds.count("task_start"), kinds.count("task_completed")) == (2, 3)
    assert [e["type"] for e in events if e.get("final")] == ["final"]
    assert {"rows": 3} in [e.get("result") for e in events]
    seqs = [e["seq"] for e in events if "seq" in e]
    assert seqs == sorted(set(seqs))
    _, *again = await stream(secret, task_id=root)  # a second run does not replay the first
    assert [e["type"] for e in again].count("task_completed") == 3
    assert again[-2]["status"] == "completed"


async def test_a_stream_tells_failures(engine, secret):
    _, *events = await stream(secret, tasks=FAILING)
    failed = next(e for e in events if e["type"] == "task_failed")
    assert (failed["status"], failed["error"], failed["final"]) == ("failed", "no rows", False)
    assert [e["type"] for e in events].count("task_blocked") == 2
    assert events[-2]["status"] == "failed"
