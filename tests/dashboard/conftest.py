"""The cast: ann owns, bob may look, carla may run, eve is a stranger."""

from __future__ import annotations

import pytest
from django.test import Client

from orchestration.models import TreeShare
from tests.factories import make_tree, make_user, task


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def tree(db):
    tree = make_tree(task("Report", executor=""), task("load"), task("send", after=["load"]), owner=make_user("ann"))
    TreeShare.objects.create(tree=tree, user=make_user("bob"), right=TreeShare.VIEW)
    TreeShare.objects.create(tree=tree, user=make_user("carla"), right=TreeShare.RUN)
    make_user("eve")
    return tree


@pytest.fixture
def clients(tree):
    return {name: signed_in(make_user(name)) for name in ("ann", "bob", "carla", "eve")} | {"nobody": Client()}
