from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from django.conf import settings
from django.db import connection

from orchestration.executors.base import Executor
from orchestration.models import Attempt, Event, Task, Worker
from orchestration.services.runs import run_start, task_cancel
from tests.engine.support import EngineThread, ended, registered, status_of, until
from tests.factories import make_tree, make_user, task, task_named
from tests.support_fold import verify
from tests.support_processes import this_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.fault]

ENGINE = """
import asyncio, sys, pathlib
import django
django.setup()
from orchestration.engine.embedded import EmbeddedEngine
from orchestration.executors import registry
from orchestration.executors.base import Executor

class Crashes(Executor):
    id, name, isolated = "e_once", "Never ends here", False
    async def run(self, ctx):
        await asyncio.sleep(600)

registry.register(Crashes())

async def main():
    await EmbeddedEngine(directory=pathlib.Path(sys.argv[1])).start()
    await asyncio.sleep(600)

asyncio.run(main())
"""


class Once(Executor):
    """Here it ends; in the engine that is killed it never does."""

    id = "e_once"
    name = "Once"
    isolated = False

    async def run(self, ctx):
        return ctx.attempt


def doomed_engine(directory):
    command = [sys.executable, "-c", ENGINE, str(directory)]
    return subprocess.Popen(command, cwd=settings.BASE_DIR, env=os.environ | this_database())


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait(60)


def test_after_kill_9_the_next_engine_takes_over_within_five_seconds(tmp_path):
    user = make_user()
    with registered(Once):
        names = [f"t{n}" for n in range(5)]
        tree = make_tree(
            task("root", executor=""),
            task("done"),
            *(task(n, executor="e_once", after=["done"]) for n in names),
            task("stopping", executor="e_once", after=["done"]),
            task("join", after=names),
        )
        run = run_start(user=user, tree_id=tree.pk)
        process = doomed_engine(tmp_path)
        try:
            until(lambda: Attempt.objects.filter(executor="e_once", status="in_progress").count() == 6, "the starts")
            task_cancel(user=user, task_id=task_named(tree, "stopping").pk, reason="enough")
        finally:
            kill(process)
        began = time.monotonic()
        with EngineThread(tmp_path):
            ended(run)
        assert time.monotonic() - began < 5.0
    assert run.status == "failed", "one was cancelled"
    assert status_of(tree, "stopping") == "cancelled"
    assert [status_of(tree, n) for n in names] == ["completed"] * 5
    assert task_named(tree, "done").attempt == 1, "what was complete does not run again"
    completed = Event.objects.filter(run=run, kind="task_completed").values_list("task_id", flat=True)
    assert len(completed) == len(set(completed)) == 8
    codes = Attempt.objects.filter(task__name="t0").order_by("number").values_list("try_number", "error_code", "result")
    assert list(codes) == [(1, "engine_lost", None), (1, "", 1)], "a lost attempt uses no try"
    assert Worker.objects.count() == 2
    verify(run.pk)


def test_a_task_that_is_lost_again_and_again_fails(tmp_path):
    with registered(Once):
        tree = make_tree(task("t", executor="e_once"))
        run = run_start(user=make_user(), tree_id=tree.pk)
        for attempt in (1, 2):
            process = doomed_engine(tmp_path)
            try:
                until(lambda a=attempt: Attempt.objects.filter(number=a, status="in_progress").exists(), "the start")
            finally:
                kill(process)
        with EngineThread(tmp_path, recovery_limit=1):
            assert ended(run).status == "failed"
    t = Task.objects.get(tree=tree)
    assert "lost with its engine 2 times" in t.error
    assert list(Attempt.objects.order_by("number").values_list("error_code", flat=True)) == [
        "engine_lost",
        "worker_lost",
    ]
    verify(run.pk)


def test_stopping_at_any_moment_leaves_nothing_in_progress(tmp_path):
    work = {"executor": "simulate", "inputs": {"duration_s": 0.02, "steps": 1}}
    tree = make_tree(task("root", executor=""), *(task(f"t{n}", **work) for n in range(300)))
    run = run_start(user=make_user(), tree_id=tree.pk)
    for _ in range(25):
        begun = Attempt.objects.count()
        with EngineThread(tmp_path, async_slots=20, shutdown_s=0.0):
            until(lambda n=begun: Attempt.objects.count() > n, "a start")
        assert not Attempt.objects.filter(status="in_progress").exists()
        verify(run.pk)
    with EngineThread(tmp_path):
        assert ended(run).status == "completed"
    assert set(Attempt.objects.values_list("try_number", flat=True)) == {1}
    assert not Event.objects.filter(run=run, kind="late_result").exists()
    verify(run.pk)


def test_a_task_that_lost_its_readiness_in_a_busy_run_runs_anyway(tmp_path, caplog):
    slow = task("slow", executor="simulate", inputs={"duration_s": 600}, priority=0)
    tree = make_tree(task("root", executor=""), slow, task("lost"))
    run = run_start(user=make_user(), tree_id=tree.pk)
    with EngineThread(tmp_path, async_slots=1):
        until(lambda: status_of(tree, "slow") == "in_progress", "the start")
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE orchestration_task SET ready_at = NULL WHERE id = %s", [task_named(tree, "lost").pk.hex]
            )
        until(lambda: task_named(tree, "lost").ready_at, "that the sweep makes it ready again")
        task_cancel(user=tree.owner, task_id=task_named(tree, "slow").pk)
        assert ended(run).status == "failed"
        assert status_of(tree, "lost") == "completed"
    assert "work was overlooked" in caplog.text
    verify(run.pk)
