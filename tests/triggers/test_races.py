"""Requests at the same moment: one run, whatever the proof."""

from __future__ import annotations

import time

import pytest

from orchestration.models import Run
from orchestration.services.triggers import trigger_create, trigger_rotate
from tests.factories import make_tree, make_user, task
from tests.services.test_transitions_races import race
from tests.triggers.conftest import Sender, end

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
ROUNDS = 20


@pytest.fixture
def tree(db):
    return make_tree(task("only"), owner=make_user("ann"))


def made(tree, **fields):
    fields = {"name": "nightly", "per_minute": 600, **fields}
    return trigger_create(user=tree.owner, tree_id=tree.pk, fields=fields)


def codes(answers):
    return sorted(answer.status_code for answer in answers)


def test_two_requests_start_one_run(tree):
    sender = Sender(made(tree))
    for number in range(1, ROUNDS + 1):
        assert codes(race(sender.send, sender.send)) == [202, 409]
        assert Run.objects.count() == number
        end(tree)


def test_one_key_starts_one_run(tree):
    sender = Sender(made(tree))
    for number in range(1, ROUNDS + 1):
        answers = race(*[lambda key=f"k{number}": sender.send(Idempotency_Key=key)] * 3)
        assert codes(answers) == [202] * 3
        assert len({answer.content for answer in answers}) == 1
        assert Run.objects.count() == number
        end(tree)


def test_one_signature_starts_one_run(tree):
    sender, now = Sender(made(tree, proof="signature")), int(time.time())
    for number in range(1, ROUNDS + 1):
        answers = race(*[lambda at=now - number: sender.signed(at=at)] * 2)
        assert codes(answers) == [202, 409]
        assert Run.objects.count() == number
        end(tree)


def test_after_a_new_secret_the_old_one_starts_nothing(tree):
    for _ in range(ROUNDS):
        trigger = made(tree)
        answer, renewed = race(
            Sender(trigger).send,
            lambda pk=trigger.pk: trigger_rotate(user=tree.owner, tree_id=tree.pk, trigger_id=pk),
        )
        assert renewed.generation == 2
        assert answer.status_code in (202, 404)
        trigger.refresh_from_db()
        assert trigger.use_count == (answer.status_code == 202)
        end(tree)
        trigger.delete()
