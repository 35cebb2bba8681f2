"""Attempts in child processes: whatever they do ends with them, and nothing of them is left."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from orchestration.domain.work import DependencyResult, Ending
from orchestration.engine.children import ChildRunner
from tests.engine.children import GRACE_S, OPTIONS, ignore, work_of

ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def running(**changes):
    runner = await ChildRunner(**OPTIONS | changes).start()
    try:
        yield runner
    finally:
        await runner.stop()


async def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.01)


def pids(path):
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def alive(listed):
    return [pid for pid in listed if state(pid) not in (None, psutil.STATUS_ZOMBIE)]


def state(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status()
    return None


def test_a_result_comes_back_with_log_and_context(shared):
    work = work_of("t_echo", a=[1, "é"])
    work.dependencies.append(DependencyResult("x", "first", True, "completed", {"r": 1}))
    seen = []

    outcome = shared(lambda runner: runner.run(work, lambda *report: seen.append(report)))
    assert (outcome.run_id, outcome.task_id, outcome.attempt) == (7, "a" * 32, 3)
    assert outcome.ending is Ending.COMPLETED
    assert '"inputs":{"a":[1,"é"]},"attempt":2' in outcome.result
    assert f'"key":"7:{"a" * 32}","same":true,"dependencies":["first"]' in outcome.result
    assert outcome.log == "printed\nlogged\nfrom a program\n"
    assert seen == [(0.5, "half")]
    assert f'"pid":{os.getpid()}' not in outcome.result


def test_progress_is_thinned_out_and_the_last_one_kept(shared):
    seen, work = [], work_of("t_progress", count=20_000)
    assert shared(lambda runner: runner.run(work, lambda *report: seen.append(report))).result == "20000"
    assert seen[-1] == (1.0, "20000")
    assert len(seen) < 200


async def cancelled(runner, executor, path, count, twice=False):
    """Cancel a running attempt; the seconds it took and the processes that had been seen."""
    task = asyncio.create_task(runner.run(work_of(executor, path=str(path)), ignore))
    await until(lambda: len(pids(path)) >= count)
    started = time.monotonic()
    task.cancel()
    if twice:
        await asyncio.sleep(GRACE_S / 3)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    took, listed = time.monotonic() - started, pids(path)
    await until(lambda: not alive(listed[:-1]), 2)  # killed they are; the kernel may take a moment to end them
    await until(lambda: not alive(listed[-1:]))  # the supervisor, which said that all others are gone
    return took, listed


@pytest.mark.fault
@pytest.mark.parametrize("twice", [False, True])
def test_a_stubborn_attempt_and_its_detached_grandchild_are_killed(shared, tmp_path, twice):
    took, listed = shared(lambda runner: cancelled(runner, "t_stubborn", tmp_path / "pids", 3, twice))
    assert GRACE_S <= took < GRACE_S + 3
    assert len(listed) == 3
    assert shared(lambda runner: runner.run(work_of("t_async"), ignore)).ending is Ending.COMPLETED


@pytest.mark.fault
@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, 6, 10])
def test_a_cancel_right_after_the_start_leaves_nothing(shared, tmp_path, turns):
    async def go(runner):
        task = asyncio.create_task(runner.run(work_of("t_stubborn", path=str(tmp_path / "pids")), ignore))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server = psutil.Process(runner._server.pid)
        await until(lambda: server.children(recursive=True) == [])

    started = time.monotonic()
    shared(go)
    assert time.monotonic() - started < GRACE_S + 3


@pytest.mark.parametrize(("executor", "saw"), [("t_cooperative", "cancelled"), ("t_async_cancel", "cancelled True")])
def test_a_cooperative_attempt_ends_before_the_grace_period(tmp_path, executor, saw):
    async def go():
        async with running(grace_s=20) as runner:
            took, listed = await cancelled(runner, executor, tmp_path / "pids", 2)
            assert took < 5
            assert len(listed) == 2

    asyncio.run(go())
    assert (tmp_path / "pids.saw").read_text() == saw


def test_what_an_executor_leaves_behind_is_killed_when_it_completes(shared, tmp_path):
    outcome = shared(lambda runner: runner.run(work_of("t_leaves", path=str(tmp_path / "pids")), ignore))
    assert outcome.result == '"done"'
    assert alive(pids(tmp_path / "pids")[:-1]) == []


def test_stop_kills_what_runs(tmp_path):
    async def go():
        async with running() as runner:
            task = asyncio.create_task(runner.run(work_of("t_stubborn", path=str(tmp_path / "pids")), ignore))
            await until(lambda: len(pids(tmp_path / "pids")) >= 3)
            await runner.stop()
            assert alive(pids(tmp_path / "pids")) == []
            assert (await task).error_code == "worker_lost"

    asyncio.run(go())


def test_a_fork_server_that_was_killed_is_replaced():
    async def go():
        async with running() as runner:
            first = runner._server
            first.kill()
            first.wait()
            assert (await runner.run(work_of("t_async"), ignore)).ending is Ending.COMPLETED
            assert runner._server.pid != first.pid

    asyncio.run(go())


def test_a_fork_server_that_cannot_start_says_so(capfd):
    async def go():
        runner = ChildRunner(grace_s=1, max_result_bytes=100, max_log_bytes=100, preload=("no.such.module",))
        outcome = await runner.run(work_of("noop"), ignore)
        await runner.stop()
        return outcome

    outcome = asyncio.run(go())
    assert (outcome.error_code, outcome.retryable) == ("worker_lost", True)
    assert "fork server did not start" in outcome.error
    assert "No module named 'no'" in capfd.readouterr().err


ENGINE = """
import asyncio, sys, django
django.setup()
from orchestration.domain.work import Work
from orchestration.engine.children import ChildRunner
from tests.engine.children import GRACE_S, OPTIONS, ignore, work_of
async def main():
    preload = ("tests.support_executors",)
    runner = ChildRunner(grace_s=5, max_result_bytes=1 << 20, max_log_bytes=1 << 18, preload=preload)
    await runner.run(Work(1, "a" * 32, 1, 1, "n", "t_stubborn", {"path": sys.argv[1]}, {}), lambda *_: None)
asyncio.run(main())
"""


@pytest.mark.fault
def test_the_death_of_the_engine_kills_everything(tmp_path):
    engine = subprocess.Popen([sys.executable, "-c", ENGINE, str(tmp_path / "pids")], cwd=ROOT)
    family = []
    try:
        asyncio.run(until(lambda: len(pids(tmp_path / "pids")) >= 3, 90))  # it imports everything
        family = [child.pid for child in psutil.Process(engine.pid).children(recursive=True)]
    finally:
        engine.kill()
        engine.wait()
    listed = pids(tmp_path / "pids") + family
    assert len(family) >= 3
    asyncio.run(until(lambda: not alive(listed), 30))


@pytest.mark.fault
def test_a_hundred_at_once(shared):
    async def go(runner):
        works = [work_of("t_async", value=number) for number in range(100)]
        return await asyncio.gather(*(runner.run(work, ignore) for work in works))

    assert [outcome.result for outcome in shared(go)] == [f'{{"value":{n}}}' for n in range(100)]


def test_signals_meant_for_the_whole_group_do_not_end_the_fork_server(shared):
    async def go(runner):
        server = runner._server.pid
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(server, number)
        assert (await runner.run(work_of("t_async"), ignore)).ending is Ending.COMPLETED
        return runner._server.pid == server

    assert shared(go)
