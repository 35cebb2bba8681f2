"""The guide, "Advanced Topics": cancellation, re-execution, streaming, dependency resolution."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from orchestration.domain.states import Status
from orchestration.manager import TaskManager, create_session
from orchestration.models import Attempt, Run
from tests.guide.conftest import CONF, node, times_of

WAIT_S = 60.0


async def until(condition):
    deadline = time.monotonic() + WAIT_S
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_task_cancellation(task_manager, workers):
    workers("endless", seconds=600)
    workers("after", "beside")
    task = task_manager.create_task(name="endless", user_id="user123")
    blocked = task_manager.create_task(name="after", user_id="user123", dependencies=[task.id])
    beside = task_manager.create_task(
        name="beside", user_id="user123", dependencies=[{"id": task.id, "required": False}]
    )
    root = node(task_manager.create_task(name="root", user_id="user123"), blocked, beside)
    running = asyncio.create_task(task_manager.distribute_task_tree(root))
    await until(Attempt.objects.filter(task=task.id, status=Status.IN_PROGRESS).aexists)
    # ----
    result = await task_manager.cancel_task(task_id=task.id, error_message="User requested cancellation")
    # ----
    assert result["status"] in ("cancelling", "cancelled")  # it is stopped for real, which takes a moment
    await asyncio.wait_for(running, WAIT_S)
    assert (task.status, task.error) == ("cancelled", "Cancelled by user123: User requested cancellation")
    assert (blocked.status, blocked.blocked_by) == ("pending", task.id)
    assert (beside.status, beside.result["knew"]) == ("completed", {"endless": "cancelled"})
    again = await task_manager.cancel_task(task_id=task.id)
    assert again == {
        "status": "failed",
        "message": f"Task {task.id} is already cancelled, cannot cancel",
        "current_status": "cancelled",
    }


async def test_task_cancellation_of_an_unknown_task(task_manager):
    # ----
    result = await task_manager.cancel_task(task_id="task_123", error_message="User requested cancellation")
    # ----
    assert result == {"status": "failed", "message": "Task task_123 not found", "error": "Task not found"}


async def test_task_cancellation_before_the_start(task_manager, workers):
    workers("a", "b", "c")
    a = task_manager.create_task(name="a")
    b = task_manager.create_task(name="b", dependencies=[a.id])
    c = task_manager.create_task(name="c")
    assert (await task_manager.cancel_task(a.id, "not today"))["status"] == "cancelled"
    assert a.status == "cancelled"
    assert (await task_manager.cancel_task(a.id))["current_status"] == "cancelled"
    await task_manager.distribute_task_tree(node(task_manager.create_task(name="root"), b, c))
    assert (a.status, a.error) == ("cancelled", "Cancelled by local: not today")
    assert [times.start for times in await times_of(a, b)] == [None, None]
    assert (b.status, b.blocked_by, c.status) == ("pending", a.id, "completed")


async def test_task_re_execution(task_manager, workers):
    """If a dependency fails, dependent tasks are marked for re-execution. This allows retrying failed workflows."""
    workers("loads", "checks", "reports")
    fragile = task_manager.create_task(
        name="fragile", executor="simulate", inputs={"duration_s": 0, "fail": "no connection"}
    )
    loads = task_manager.create_task(name="loads")
    reports = task_manager.create_task(name="reports", dependencies=[fragile.id, loads.id])
    checks = task_manager.create_task(name="checks", dependencies=[reports.id])
    root = node(checks)
    await task_manager.distribute_task_tree(root)
    assert (fragile.status, loads.status, reports.status, checks.status) == (
        "failed", "completed", "pending", "pending",
    )  # fmt: skip
    loaded_at = loads.completed_at
    await task_manager.task_repository.update_task(fragile.id, inputs={"duration_s": 0})
    await task_manager.distribute_task_tree(root)
    assert {task.status for task in (fragile, loads, reports, checks)} == {"completed"}
    assert (fragile.error, loads.completed_at) == (None, loaded_at)  # what had completed did not run again
    one, two = await times_of(reports, checks)
    assert one.before(two)
    assert await Run.objects.acount() == 2  # nothing is lost: the failed run is history


async def test_re_execution_of_a_completed_tree_runs_nothing(task_manager, workers):
    workers("once")
    task = task_manager.create_task(name="once")
    await task_manager.distribute_task_tree(node(task))
    result, ended = task.result, task.completed_at
    again = await task_manager.distribute_task_tree(node(task))
    assert (again.task.status, again.task.result, again.task.completed_at) == ("completed", result, ended)
    assert await Run.objects.acount() == 1


async def test_streaming_execution(task_manager, workers):
    workers("task1", "task2")
    task1 = task_manager.create_task(name="task1")
    task2 = task_manager.create_task(name="task2", dependencies=[task1.id])
    task_tree = node(task2)
    # ----
    # Execute with streaming
    await task_manager.distribute_task_tree_with_streaming(task_tree, use_callback=True)
    # ----
    assert (task1.status, task2.status) == ("completed", "completed")


@pytest.mark.parametrize("how", ["function", "coroutine", "iterator"])
async def test_streaming_gives_every_event_in_order(task_manager, workers, how):
    heard = threading.Event()
    workers("task1")
    workers("task2", gate=heard if how == "coroutine" else None)  # else it could end before we have asked
    task1 = task_manager.create_task(name="task1")
    task2 = task_manager.create_task(name="task2", dependencies=[task1.id])
    events, live = [], []

    async def hear(event):
        events.append(event)
        if event["kind"] == "task_started":
            live.append((await Run.objects.aget(pk=event["run"])).is_active)
            if event["task"] == task2.id:
                heard.set()

    if how == "function":
        await task_manager.distribute_task_tree_with_streaming(node(task2), on_event=events.append)
    elif how == "coroutine":
        await task_manager.distribute_task_tree_with_streaming(node(task2), on_event=hear)
        assert all(live)  # real-time: the run goes on while we hear of it
    else:
        events = [event async for event in task_manager.stream_task_tree(node(task2))]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    story = [(event["kind"], {task1.id: 1, task2.id: 2, None: 0}[event["task"]]) for event in events]
    assert story == [
        ("run_started", 0),
        ("task_ready", 1),
        ("task_started", 1),
        ("task_completed", 1),
        ("task_ready", 2),
        ("task_started", 2),
        ("task_completed", 2),
        ("run_completed", 0),
    ]


async def test_dependency_resolution(task_manager, workers):
    """Dependency results are automatically merged into task inputs."""
    workers("fetch", result={"rows": 3, "format": "csv"})
    workers("process")
    fetch = task_manager.create_task(name="fetch")
    process = task_manager.create_task(name="process", inputs={"format": "json"}, dependencies=[fetch.id])
    named = task_manager.create_task(name="process", dependencies=[{"id": fetch.id, "as": "source"}])
    mapped = task_manager.create_task(name="process", dependencies=[{"id": fetch.id, "map": {"count": "rows"}}])
    await task_manager.distribute_task_tree(node(task_manager.create_task(name="root"), process, named, mapped))
    got = process.result["got"]
    assert (got["rows"], got["by"]) == (3, "fetch")
    assert got["format"] == "json"  # what the task says itself is never overwritten
    assert process.inputs == {"format": "json"}  # and the stored inputs do not change
    assert named.result["got"]["source"]["rows"] == 3
    assert mapped.result["got"] == {"count": 3}


async def test_two_trees_at_a_time_share_one_engine(transactional_db, workers):
    workers("left", "right", seconds=0.3)
    managers = [TaskManager(create_session(config=CONF)) for _ in range(2)]
    tasks = [manager.create_task(name=name) for manager, name in zip(managers, ("left", "right"), strict=True)]
    pairs = zip(managers, tasks, strict=True)
    await asyncio.gather(*(manager.distribute_task_tree(node(task)) for manager, task in pairs))
    left, right = await times_of(*tasks)
    assert left.overlaps(right)
    assert {task.status for task in tasks} == {"completed"}
