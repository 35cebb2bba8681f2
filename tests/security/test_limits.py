"""What one person may have and do is bounded, exactly, whatever comes at the same time."""

from __future__ import annotations

import threading

import pytest
from django.db import connections, transaction
from django.test import Client

from orchestration.builders.copy import tree_copy
from orchestration.domain.errors import Conflict
from orchestration.models import Run, Tree
from orchestration.services.runs import run_start
from orchestration.services.throttle import TooMany, write_allowed
from tests.api.conftest import Api, error_of
from tests.factories import make_tree, make_user, task, task_named

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.limits]
PARALLEL = 8


def at_once(*calls):
    """What each of *calls* answers, all sent at the same moment."""
    barrier, answers = threading.Barrier(len(calls)), []

    def ask(call):
        try:
            barrier.wait(30)
            answers.append(call())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == len(calls)
    return answers


def limits(settings, **values):
    settings.ORCHESTRATION = settings.ORCHESTRATION | values


def test_waiting_for_ones_turn_to_be_counted_opens_no_gap(settings):
    """What was counted meanwhile counts: the time is that of one's own turn."""
    settings.API_WRITES_PER_MINUTE = 3
    ann = make_user("ann")
    held, waiting, never = threading.Event(), threading.Event(), threading.Event()

    def three():
        with transaction.atomic():
            write_allowed(ann)
            held.set()
            assert waiting.wait(30)
            never.wait(1.5)  # longer than the time by which clocks may differ
            write_allowed(ann)
            write_allowed(ann)
        return 0

    def fourth():
        assert held.wait(30)
        waiting.set()
        with pytest.raises(TooMany) as refused:
            write_allowed(ann)
        return refused.value.retry_after_s

    assert 0 < max(at_once(three, fourth)) <= 60


@pytest.mark.parametrize("action", ["create", "run", "copy", "export", "page"])
def test_writing_too_often_is_told_when_to_come_back(settings, action):
    settings.API_WRITES_PER_MINUTE = 3
    ann = make_user("ann")
    trees = [make_tree(task(f"t{n}"), owner=ann) for n in range(PARALLEL)]

    def call(tree):
        api, page = Api(ann), Client()
        page.force_login(ann)
        return {
            "create": lambda: api.post("trees/", {"tasks": [{"name": "x", "executor": "noop"}]}),
            "run": lambda: api.post(f"trees/{tree.pk}/runs/"),
            "copy": lambda: api.post(f"tasks/{task_named(tree, tree.name).pk}/copy/"),
            "export": lambda: api.get(f"trees/{tree.pk}/export/"),
            "page": lambda: page.post(f"/trees/{tree.pk}/labels", {"labels": "a"}),
        }[action]

    answers = at_once(*map(call, trees))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == PARALLEL - 3, [answer.status_code for answer in answers]
    assert all(0 < int(answer["Retry-After"]) <= 60 for answer in refused)
    assert Api(make_user("eve")).post("trees/", {"tasks": [{"name": "x", "executor": "noop"}]}).status_code == 201


def test_trees_of_one_owner(settings):
    ann = make_user("ann")
    tree = make_tree(task("t"), owner=ann)
    limits(settings, max_trees=2)
    body = {"tasks": [{"name": "x", "executor": "noop"}]}
    codes = [answer.status_code for answer in at_once(*[lambda: Api(ann).post("trees/", body)] * 4)]
    assert sorted(codes) == [201, 409, 409, 409]
    assert error_of(Api(ann).post("trees/", body))["code"] == "quota_exceeded"
    with pytest.raises(Conflict, match="2 trees: delete some first"):
        tree_copy(user=ann, task_id=task_named(tree, "t").pk)
    assert Tree.objects.filter(owner=ann).count() == 2


def test_tasks_of_one_owner(settings):
    limits(settings, max_all_tasks=1001)
    ann = make_user("ann")
    make_tree(*[task(f"a{n}") for n in range(1000)], owner=ann)
    with pytest.raises(Conflict, match="more than 1001 tasks"):
        make_tree(*[task(f"b{n}") for n in range(1000)], owner=ann)


def test_active_runs_of_one_owner(settings):
    ann = make_user("ann")
    trees = [make_tree(task(f"t{n}"), owner=ann) for n in range(4)]
    limits(settings, max_active_runs=2)
    codes = [a.status_code for a in at_once(*[lambda t=t: Api(ann).post(f"trees/{t.pk}/runs/") for t in trees])]
    assert sorted(codes) == [202, 202, 409, 409]
    assert Run.objects.count() == 2
    bob = make_user("bob")
    assert run_start(user=bob, tree_id=make_tree(task("t"), owner=bob).pk).pk
