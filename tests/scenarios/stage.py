"""Where scenarios are played, by number, and the tasks that they are made of."""

from __future__ import annotations

from collections.abc import Callable

from orchestration.models import Attempt
from orchestration.services.runs import run_start
from tests.engine.support import EngineThread, ended
from tests.factories import make_user, task, task_named
from tests.support_fold import verify

SCENARIOS: dict[int, Callable[[Stage], None]] = {}


def scenario(number):
    def note(function):
        assert number not in SCENARIOS
        SCENARIOS[number] = function
        return function

    return note


class Stage:
    """An engine at work, and what a scenario needs to play on it."""

    def __init__(self, directory):
        self.directory = directory
        self.user = make_user()

    def run(self, tree, *, slots=100, **options):
        run = run_start(user=self.user, tree_id=tree.pk, **options)
        with EngineThread(self.directory, async_slots=slots):
            ended(run)
        verify(run.pk)
        return run

    def result(self, tree, name):
        found = task_named(tree, name)
        return Attempt.objects.get(task=found, number=found.attempt).result


def root(executor="", **more):
    return task("root", executor=executor, **more)


def gives(name, value, **more):
    return task(name, executor="simulate", inputs={"duration_s": 0, "result": value}, **more)


def fails(name, **more):
    return task(name, executor="simulate", inputs={"duration_s": 0, "fail": "no"}, **more)
