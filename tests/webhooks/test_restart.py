"""A real server is killed with kill -9 while runs are under way: after the next start everything is told."""

from __future__ import annotations

import socket

import pytest

from tests.e2e.conftest import Server, nursery_of
from tests.engine.support import until
from tests.webhooks.support import receiving

pytestmark = pytest.mark.slow

PREPARE = """
from django.contrib.auth.models import User
from orchestration.builders.array import tree_from_array
from orchestration.services.runs import run_start
from orchestration.services.webhooks import webhook_create
user = User.objects.get(username="admin")
webhook_create(user=user, url="{url}", events=["run.started", "run.completed", "task.completed"])
for number in range(8):
    tasks = [{{"name": f"Order {{number}}", "id": "root"}}]
    for step in range(3):
        inputs = {{"duration_s": 0.2 + 0.2 * number}}
        tasks.append({{"name": f"t{{step}}", "parent_id": "root", "executor": "simulate", "inputs": inputs}})
    run_start(user=user, tree_id=tree_from_array(owner=user, data=tasks).pk)
"""


@pytest.fixture
def server(tmp_path, receiving_program):
    """A server whose webhooks reach the receiver, and give up on an answer soon."""
    port = receiving_program.port
    limits = {
        "APFLOW_HTTP_ALLOW": f"127.0.0.1:{port}",
        "APFLOW_HTTP_PORTS": f"80,443,{port}",
        "APFLOW_WEBHOOK_TIMEOUT_S": "1",
    }
    data, nest = tmp_path / "data", tmp_path / "nursery"
    data.mkdir()
    nest.mkdir()
    with nursery_of(nest) as nursery, Server(data, nursery, **limits) as server:
        yield server


@pytest.fixture
def receiving_program():
    with receiving() as receiver:
        yield receiver


def test_kill_9_loses_no_delivery(server, receiving_program):
    receiver = receiving_program
    server.up()
    server.run_python(PREPARE.format(url=receiver.url))
    until(lambda: "run.completed" in receiver.events, "the end of a first run")
    server.kill(server.process)
    told = {got.headers["X-Apflow-Delivery"] for got in receiver.got}
    server.up()
    until(lambda: len(seen(receiver)) == 8 * (1 + 1 + 4), "all deliveries", deadline_s=90)
    server.stop()
    assert told <= {got.headers["X-Apflow-Delivery"] for got in receiver.got}
    ids = {(got.content["run"]["id"], got.content["seq"]): got.content["id"] for got in receiver.got}
    assert len(set(ids.values())) == len(seen(receiver))  # a repeat has the same id


def seen(receiver):
    return {(got.content["run"]["id"], got.content["seq"]) for got in receiver.got}


def test_what_a_dying_sender_has_begun_is_not_told(receiving_program):
    with socket.create_connection(("127.0.0.1", receiving_program.port)) as dying:
        dying.sendall(b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 422\r\n\r\n")
        dying.shutdown(socket.SHUT_WR)
        assert dying.recv(100) == b""
    assert receiving_program.got == []
