"""F21: somebody sets the clock, an hour ahead, an hour back, ten years ahead, while tasks run and wait."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from orchestration.domain.ready_queue import Slots
from orchestration.domain.work import Ending, Outcome
from orchestration.executors.base import Executor, ExecutorError
from orchestration.models import Attempt, Task, Worker
from orchestration.services import transitions_clock
from orchestration.services.runs import run_start
from orchestration.services.transitions import Transitions
from tests.engine.support import EngineThread, ended, registered, status_of, until
from tests.factories import make_tree, make_user, task
from tests.support_fold import verify

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.fault]

HOUR = timedelta(hours=1)
JUMPS = [HOUR, -HOUR, timedelta(days=3650)]
NAMES = ["ahead", "back", "ten years"]
gate = threading.Event()


class Holds(Executor):
    id = "f_holds"
    name = "Holds"
    isolated = False

    async def run(self, ctx):
        while not gate.is_set():
            await asyncio.sleep(0.02)
        return ctx.attempt


class FailsOnce(Executor):
    id = "f_fails_once"
    name = "Fails once"
    isolated = False

    async def run(self, ctx):
        if ctx.attempt == 1:
            raise ExecutorError("the first time")
        return ctx.attempt


@pytest.fixture
def clock(monkeypatch):
    """clock(delta): the wall clock of this process is set by so much."""
    real, offset = timezone.now, [timedelta()]
    monkeypatch.setattr(timezone, "now", lambda: real() + offset[0])

    def set_by(delta):
        offset[0] += delta

    return set_by


def took(*rows):
    """Each has lasted for as long as this test may have taken."""
    for row in rows:
        row.refresh_from_db()
        assert timedelta() <= row.completed_at - row.started_at < timedelta(minutes=5), row


@pytest.mark.parametrize("jump", JUMPS, ids=NAMES)
def test_f21_nobody_dies_and_nobody_waits(tmp_path, clock, jump, caplog):
    gate.clear()
    retried = {"max_attempts": 2, "backoff": {"strategy": "fixed", "base_s": 1.5}}
    with registered(Holds, FailsOnce), EngineThread(tmp_path, heartbeat_s=0.1, lease_s=1.0) as thread:
        tree = make_tree(
            task("root", executor=""), task("long", executor="f_holds"),
            task("again", executor="f_fails_once", **retried), task("last", after=["long", "again"]),
        )  # fmt: skip
        run = run_start(user=make_user(), tree_id=tree.pk)
        until(lambda: status_of(tree, "long") == "in_progress", "the start")
        until(lambda: Attempt.objects.filter(task__name="again", status="failed").exists(), "the failure")
        clock(jump)
        until(lambda: status_of(tree, "again") == "completed", "the retry", deadline_s=15)
        until(lambda: "clock of this machine was set" in caplog.text, "a word about it")
        before = Worker.objects.get().heartbeat_at
        until(lambda: Worker.objects.get().heartbeat_at > before, "a sign of life")
        gate.set()
        assert ended(run).status == "completed"
        assert not thread.engine.degraded
        took(run, Attempt.objects.get(task__name="long"), Task.objects.get(tree=tree, name="long"))
    codes = Attempt.objects.exclude(task__name="again").values_list("error_code", flat=True)
    assert set(codes) == {""}, "no false death"
    verify(run.pk)


@pytest.mark.parametrize("jump", JUMPS, ids=NAMES)
def test_f21_starts_are_told_by_the_clock_as_it_is_now(clock, jump):
    """Those of what runs and of what waits for a slot; not that of a run that somebody starts by the new clock before
    the engine has looked at it."""
    user = make_user()
    one, other = (make_tree(task("a", executor="simulate"), task("b", executor="simulate")) for _ in range(2))
    before, engine = run_start(user=user, tree_id=one.pk), Transitions("w", lease_s=15, recovery_limit=3)
    (work,) = engine.apply([], Slots(0, 1)).works
    clock(jump)
    after = run_start(user=user, tree_id=other.pk)
    assert engine.apply([], Slots()).waiting == 3
    live, waiting = Task.objects.get(pk=work.task_id), Task.objects.filter(status="pending")
    for row in (before, after):
        row.refresh_from_db()
    starts = [before.started_at, after.started_at, live.started_at, Attempt.objects.get().started_at]
    for at in (*starts, *waiting.values_list("ready_at", flat=True)):
        assert timedelta() <= timezone.now() - at < timedelta(minutes=5)
    assert engine.apply([Outcome(before.pk, work.task_id, 1, Ending.COMPLETED, result="1")], Slots(0, 3)).works
    took(Attempt.objects.get(task=live, number=1), live)
    verify(before.pk)


def test_a_clock_that_only_drifts_is_none_of_our_business(monkeypatch):
    steady = [0.0]
    monkeypatch.setattr(transitions_clock, "monotonic", lambda: steady[0])
    clock = transitions_clock.Clock()
    now = timezone.now()
    clock.jumped(now)
    for drift in (0.0, 4.9, -4.9):
        steady[0] += 10
        now += timedelta(seconds=10 + drift)
        assert clock.jumped(now) == timedelta()
    steady[0] += 10
    assert clock.jumped(now + timedelta(seconds=16)) == timedelta(seconds=6)
