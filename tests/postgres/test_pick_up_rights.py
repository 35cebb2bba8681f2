"""A worker asks again as it picks up: rights and secrets are those of that moment, not of the claim."""

from __future__ import annotations

import sys

import pytest
from django.db import connection

from orchestration.domain.ready_queue import Slots
from orchestration.services import picking_up
from orchestration.services.runs import run_start
from orchestration.services.secrets import opened, secret_set
from orchestration.services.transitions import Transitions
from tests.factories import grant, make_tree, make_user, task

pytestmark = [pytest.mark.django_db, pytest.mark.authz]
COMMAND = {"argv": [sys.executable, "-V"]}
TOKEN = {"$secret": "token"}


class Hands:
    def after(self, _outcomes):
        return Slots(9, 9)


@pytest.fixture
def claimed(settings):
    """ann's attempts, claimed for whoever picks them up."""
    settings.ORCHESTRATION = settings.ORCHESTRATION | {"command_enabled": True}
    ann = grant(make_user("ann"), "use_shell", "http_private")
    secret_set(user=ann, name="token", value="canary-1")
    tree = make_tree(
        task("root", executor=""), task("shell", executor="command", inputs=COMMAND), task("plain"),
        task("asks", inputs={"a": TOKEN}, params={"b": TOKEN}), owner=ann,
    )  # fmt: skip
    run_start(user=ann, tree_id=tree.pk)
    works = Transitions("", lease_s=60, recovery_limit=1).apply([], Hands()).works
    assert {work.name for work in works} == {"shell", "plain", "asks"}
    return ann, [work.key for work in works]


def picked_up(keys):
    assert connection.vendor == "postgresql"
    return picking_up.pick_up(keys, "worker", lease_s=15, default_timeout_s=0)


def test_what_is_allowed_comes_with_its_secrets_sealed(claimed):
    _, keys = claimed
    picked = picked_up(keys)
    works = {work.name: work for work in picked.works}
    assert (set(works), picked.refused) == ({"shell", "plain", "asks"}, [])
    assert works["asks"].inputs == {"a": TOKEN}
    assert (works["asks"].own_inputs, works["plain"].sealed) == (("a",), {})
    assert opened(works["asks"].sealed) == {"token": "canary-1"}
    assert works["plain"].private_network


def test_what_was_taken_away_since_the_claim_is_refused(claimed):
    ann, keys = claimed
    ann.user_permissions.clear()
    ann.secrets.all().delete()
    picked = picked_up(keys)
    assert [(work.name, work.private_network) for work in picked.works] == [("plain", False)]
    assert sorted(outcome.error_code for outcome in picked.refused) == ["executor_forbidden", "secret_missing"]
    assert not any(outcome.retryable for outcome in picked.refused)


def test_nothing_is_picked_up_for_an_owner_who_is_gone(claimed):
    ann, keys = claimed
    type(ann).objects.filter(pk=ann.pk).update(is_active=False)
    picked = picked_up(keys)
    assert picked.works == []
    assert {outcome.error_code for outcome in picked.refused} == {"executor_forbidden"}
