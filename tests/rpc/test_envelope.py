"""Messages as JSON-RPC 2.0 has them, with the protocol's leniency."""

from __future__ import annotations

import pytest
from django.test import Client

from orchestration.models import Tree
from tests.factories import make_user
from tests.rpc.conftest import Rpc

pytestmark = pytest.mark.django_db
PING = {"jsonrpc": "2.0", "method": "system.health", "id": 1}


def code_of(response):
    return response.json()["error"]["code"]


def test_the_probe_is_answered_to_anybody():
    for path in ("/apflow/", "/apflow"):
        response = Rpc(None).post({}, path)
        assert response.status_code == 200
        assert response.json()["result"]["status"] == "ok"


def test_without_a_token_nothing_is_told():
    refused = Rpc(None).post({"method": "tasks.list", "id": "x"})
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, 'Bearer realm="apflow"')
    assert refused.json()["error"]["code"] == -32004
    assert refused.json()["id"] == "x"
    bad = Rpc("apf_nonsense").post(PING)
    assert (bad.status_code, code_of(bad)) == (401, -32004)
    assert Client().get("/apflow/tasks/methods").status_code == 401


def test_a_session_needs_its_csrf_token():
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("ann"))
    refused = client.post("/apflow/tasks", PING, content_type="application/json")
    assert (refused.status_code, code_of(refused)) == (403, -32004)
    easy = Client()
    easy.force_login(make_user("ann"))
    assert easy.post("/apflow/", PING, content_type="application/json").json()["result"]["status"] == "healthy"


@pytest.mark.parametrize("raw", [b"", b"{", b"[1,", b'{"a":1,"a":2}', b"\xff", b'{"id": NaN}'])
def test_what_is_no_json_is_a_parse_error(rpc, raw):
    response = rpc.post(raw)
    assert (response.status_code, code_of(response), response.json()["id"]) == (200, -32700, None)


@pytest.mark.parametrize(
    "message",
    [
        1, "text", None, [], {"jsonrpc": "1.0", "method": "tasks.list", "id": 1}, {"id": 1}, {"jsonrpc": "2.0"},
        {"method": 7}, {"method": "tasks.list", "params": "x"}, {"method": "tasks.list", "id": {}},
        {"method": "tasks.list", "id": True},
    ],
)  # fmt: skip
def test_bad_envelopes(rpc, message):
    assert code_of(rpc.post(message)) == -32600


@pytest.mark.parametrize(
    "name", ["tasks.nonsense", "tasks.scheduled.list", "tasks.scheduled.due", "tasks.generate", "config.llm_key.get"]
)
def test_methods_that_are_not_there(rpc, name):
    error = rpc.error(name)
    assert error["code"] == -32601
    assert error["message"] == "Method not found"
    assert name in error["data"]["reason"]


def test_jsonrpc_and_id_may_be_missing(rpc):
    answer = rpc.post({"method": "tasks.count", "params": None}).json()
    assert (answer["jsonrpc"], answer["id"], answer["result"]["total"]) == ("2.0", None, 0)


@pytest.mark.parametrize("call_id", ["text", 7, 1.5, None])
def test_the_id_comes_back(rpc, call_id):
    assert rpc.post({**PING, "id": call_id}).json()["id"] == call_id


def test_notifications_do_and_say_nothing(rpc):
    response = rpc.post({"jsonrpc": "2.0", "method": "tasks.create", "params": {"name": "quiet"}})
    assert (response.status_code, response.content) == (204, b"")
    assert Tree.objects.get().name == "quiet"
    wrong = rpc.post({"jsonrpc": "2.0", "method": "tasks.nonsense"})
    assert (wrong.status_code, wrong.content) == (204, b"")


def test_batches(rpc):
    notice = {"jsonrpc": "2.0", "method": "tasks.create", "params": {"name": "one"}}
    response = rpc.post([PING, notice, 1, {**PING, "id": 2, "method": "nope"}])
    answers = response.json()
    assert [a["id"] for a in answers] == [1, None, 2]
    assert [a.get("error", {}).get("code") for a in answers] == [None, -32600, -32601]
    assert rpc.post([notice]).status_code == 204
    assert code_of(rpc.post([PING] * 101)) == -32600
    (streamed,) = rpc.post([{"method": "tasks.execute", "id": 1, "params": {"use_streaming": True}}]).json()
    assert streamed["error"]["code"] == -32602


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tasks.get", {}), ("tasks.get", [1]), ("tasks.get", {"task_id": []}), ("tasks.list", {"limit": -1}),
        ("tasks.list", {"limit": "7"}), ("tasks.list", {"status": "banana"}), ("tasks.list", {"root_only": "yes"}),
        ("tasks.count", {"statuses": [[]]}), ("tasks.cancel", {}), ("tasks.cancel", {"task_ids": [1]}),
        ("tasks.running.status", {"task_ids": {}}), ("tasks.clone", {"task_id": 5, "recursive": 1}),
    ],
)  # fmt: skip
def test_wrong_parameters(rpc, method, params):
    error = rpc.error(method, params)
    assert error["code"] in (-32602, -32001)
    assert error["data"]["reason"]


def test_unknown_parameters_and_nulls_are_let_pass(rpc, tree):
    named = {"task_id": tree["load"]["id"], "id": None, "colour": "blue"}
    assert rpc.call("tasks.get", named)["name"] == "load"


def test_ids_that_are_none_are_not_found(rpc):
    for text in ("nonsense", "../etc", "9" * 5000, "<script>"):
        assert rpc.error("tasks.get", task_id=text)["code"] == -32001


def test_other_verbs_are_refused(rpc):
    assert rpc.client.get("/apflow/tasks").status_code == 405
