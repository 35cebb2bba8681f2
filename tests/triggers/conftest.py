"""Trees with triggers, and senders that know nothing but an address."""

from __future__ import annotations

import time

import pytest
from django.test import Client

from orchestration.domain.triggers import mark_of
from orchestration.models import Run
from orchestration.services.runs import run_cancel
from orchestration.services.triggers import address_of, secret_of, trigger_create
from tests.factories import make_tree, make_user, task


class Sender:
    """A program elsewhere: no session, no cookie."""

    def __init__(self, trigger, address=None):
        self.client = Client(enforce_csrf_checks=True)
        self.trigger = trigger
        self.address = address or address_of(trigger, secret=True)

    def send(self, body=b"", *, query="", method="POST", content_type="application/json", **headers):
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = content_type if body else ""
        return self.client.generic(method, self.address + query, body, content_type=kind, headers=given)

    def signed(self, body=b"", *, at=None, secret=None, **more):
        at = int(time.time()) if at is None else at
        mark = mark_of(secret or secret_of(self.trigger), at, body)
        return self.send(body, X_Apflow_Signature=f"t={at},v1={mark}", **more)


@pytest.fixture
def ann(db):
    return make_user("ann")


@pytest.fixture
def tree(ann):
    return make_tree(task("Report", executor=""), task("load"), task("send", after=["load"]), owner=ann)


@pytest.fixture
def make(tree, ann):
    """Make a trigger of the tree."""

    def make(name="nightly-build", **fields):
        return trigger_create(user=ann, tree_id=tree.pk, fields={"name": name, **fields})

    return make


def refusal(answer):
    return answer.status_code, answer.json()["error"]["code"]


def end(tree):
    """Nothing of the tree is active."""
    for run in Run.objects.filter(tree=tree, completed_at=None):
        run_cancel(user=tree.owner, run_id=run.pk)
