"""The cast of tests/dashboard, and clients that speak JSON."""

from __future__ import annotations

import json

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import Client

from orchestration.models import TreeShare
from orchestration.services.tokens import token_create
from tests.factories import make_tree, make_user, task

V1 = "/api/v1/"


class Api:
    """A client of the API. *token*: a secret; else the session of *user*, with CSRF checks."""

    def __init__(self, user=None, token=None):
        self.client = Client(enforce_csrf_checks=token is not None)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        if user is not None and token is None:
            self.client.force_login(user)

    def send(self, method, path, data=None, *, content_type="application/json", **headers):
        """The answer. *data*: bytes or text as they are, anything else as JSON. *headers*: `If_Match="3"`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        address = path if path.startswith("/") else V1 + path
        raw = data if isinstance(data, bytes | str) else "" if data is None else json.dumps(data)
        return self.client.generic(
            method.upper(), address, raw, content_type=content_type, headers={**self.headers, **given}
        )

    def get(self, path, **headers):
        return self.send("get", path, **headers)

    def post(self, path, data=None, **headers):
        return self.send("post", path, {} if data is None else data, **headers)

    def patch(self, path, data, **headers):
        return self.send("patch", path, data, **headers)

    def delete(self, path, **headers):
        return self.send("delete", path, **headers)


def with_token(user, scope="admin"):
    return Api(token=token_create(user=user, name=scope, scope=scope)[1])


def error_of(response):
    return response.json()["error"]


@pytest.fixture
async def closed_connections():
    """The thread of asynchronous views keeps no connection, which tests without a database would trip over."""
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
def ann(db):
    return make_user("ann")


@pytest.fixture
def api(ann):
    return Api(ann)


@pytest.fixture
def tree(ann):
    """ann's: Report with load and send. bob may look at it, carla may run it."""
    tree = make_tree(task("Report", executor=""), task("load"), task("send", after=["load"]), owner=ann)
    TreeShare.objects.create(tree=tree, user=make_user("bob"), right=TreeShare.VIEW)
    TreeShare.objects.create(tree=tree, user=make_user("carla"), right=TreeShare.RUN)
    return tree
