"""A plain JSON-RPC client, and who uses it."""

from __future__ import annotations

import itertools
import json

import pytest
from django.test import Client

from orchestration.services.tokens import token_create
from tests.factories import make_user

TREE = [
    {"id": "r", "name": "Report", "user_id": None},
    {"id": "a", "name": "load", "parent_id": "r", "schemas": {"method": "noop"}, "priority": 1},
    {"id": "b", "name": "send", "parent_id": "r", "params": {"executor_id": "noop"}, "priority": 0,
     "dependencies": [{"id": "a", "required": True, "type": "result"}]},
]  # fmt: skip


class Rpc:
    """Speaks to /apflow/tasks with a bearer token."""

    def __init__(self, secret):
        self.secret, self.client, self.ids = secret, Client(enforce_csrf_checks=True), itertools.count(1)

    def post(self, body, path="/apflow/tasks"):
        """The answer to *body*: JSON data, or bytes as they are."""
        headers = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        raw = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.post(path, raw, content_type="application/json", headers=headers)

    def answer(self, method, params=None, path="/apflow/tasks"):
        number = next(self.ids)
        response = self.post({"jsonrpc": "2.0", "id": number, "method": method, "params": params}, path)
        assert response.status_code == 200, response.content
        answer = response.json()
        assert (answer["jsonrpc"], answer["id"]) == ("2.0", number)
        assert ("result" in answer) != ("error" in answer)
        return answer

    def call(self, method, params=None, **named):
        """The result; fails on an error."""
        answer = self.answer(method, named or params)
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, method, params=None, **named):
        """The error; fails on a result."""
        answer = self.answer(method, named or params)
        assert "error" in answer, answer
        return answer["error"]


def secret_of(user, scope="admin"):
    return token_create(user=user, name=scope, scope=scope)[1]


@pytest.fixture
def ann(db):
    return make_user("ann")


@pytest.fixture
def rpc(ann):
    return Rpc(secret_of(ann))


@pytest.fixture
def tree(rpc):
    """Report with load and send, by name."""
    return {task["name"]: task for task in rpc.call("tasks.create", TREE)}
