"""The Python API beyond the guide: what is refused, who owns, who does the work."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User

from orchestration.conf import Conf
from orchestration.domain.errors import AlreadyRunning, Conflict, Forbidden, Invalid, NotFound
from orchestration.domain.states import Status
from orchestration.engine.embedded import EmbeddedEngine
from orchestration.executors import registry
from orchestration.manager import TaskManager, TaskTreeNode, create_session
from orchestration.models import Attempt, Run, Task, Tree
from tests.factories import make_user
from tests.support_processes import database_of

CONF = Conf(async_slots=10, process_slots=2, shutdown_s=0.2, grace_s=0.5)
WAIT_S = 60.0


@pytest.fixture
def manager(transactional_db):
    return TaskManager(create_session(config=CONF))


def work(manager, name, seconds=0.05, **fields):
    inputs = {"duration_s": seconds, "result": {"by": name}, **fields.pop("inputs", {})}
    return manager.create_task(name, executor="simulate", inputs=inputs, **fields)


def under(root, *tasks):
    node = TaskTreeNode(root)
    for task in tasks:
        node.add_child(TaskTreeNode(task))
    return node


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"priority": 7}, "task.priority"),
        ({"priority": "high"}, "task.priority"),
        ({"inputs": [1]}, "task.inputs"),
        ({"inputs": {"x": float("nan")}}, "task.inputs.x"),
        ({"executor": "no_such"}, "task.executor"),
        ({"dependencies": "abc"}, "task.dependencies"),
        ({"dependencies": [{"required": True}]}, "task.dependencies[0]"),
        ({"dependencies": [{"id": "a", "requierd": True}]}, "task.dependencies[0].requierd"),
        ({"id": "task_123"}, "id"),
        ({"status": "completed"}, "status"),
    ],
)
def test_a_bad_task_is_refused_at_once_and_not_kept(fields, path):
    session = create_session()
    with pytest.raises(Invalid) as refused:
        TaskManager(session).create_task("task", **fields)
    assert refused.value.field == path
    assert session.drafts == {}


async def test_created_tasks_are_pending_until_their_tree_is_distributed(manager):
    task = await manager.task_repository.create_task(name="later", priority=1)
    assert await manager.task_repository.get_task_by_id(task.id) is task
    assert (task.status, task.progress, task.result, task.error, task.tree_id) == ("pending", 0.0, None, None, None)
    assert not await Task.objects.aexists()
    await manager.distribute_task_tree(TaskTreeNode(task))
    found = await manager.task_repository.get_task_by_id(task.id)
    assert found is task
    assert (str((await Task.objects.aget()).pk), found.tree_id is None) == (task.id, False)


async def test_another_session_reads_what_is_stored(manager):
    task = work(manager, "first", params={"a": 1}, user_id="user123")
    after = work(manager, "second", dependencies=[{"id": task.id, "required": False, "as": "input"}], user_id="user123")
    await manager.distribute_task_tree(TaskTreeNode(after))
    other = TaskManager(create_session()).task_repository
    found = await other.get_task_by_id(after.id)
    assert found is not after
    for key in ("name", "status", "result", "user_id", "dependencies", "inputs", "completed_at", "tree_id", "executor"):
        assert getattr(found, key) == getattr(after, key)
    assert await other.get_task_by_id("nothing") is None
    assert found.dependencies == [{"id": task.id, "required": False, "as": "input"}]


async def test_an_id_of_your_own_is_kept_in_any_spelling(manager):
    given = "12345678123456781234567812345678"
    task = work(manager, "mine", id=given)
    assert task.id == "12345678-1234-5678-1234-567812345678"
    await manager.distribute_task_tree(TaskTreeNode(work(manager, "after", dependencies=[given])))
    assert (await manager.task_repository.get_task_by_id(given)).status == "completed"
    with pytest.raises(Invalid, match="stored task"):
        await manager.distribute_task_tree(TaskTreeNode(work(manager, "thief", id=given)))


async def test_users_are_made_on_demand_and_cannot_sign_in(manager):
    await manager.distribute_task_tree(TaskTreeNode(work(manager, "one", user_id="user123")))
    await manager.distribute_task_tree(TaskTreeNode(work(manager, "two", user_id="user123")))
    await manager.distribute_task_tree(TaskTreeNode(work(manager, "three")))
    user = await User.objects.aget(username="user123")
    assert (user.has_usable_password(), user.is_staff) == (False, False)
    assert [group.name async for group in user.groups.all()] == ["operator"]
    assert await Tree.objects.filter(owner=user).acount() == 2
    assert await Tree.objects.filter(owner__username="local").acount() == 1


@pytest.mark.parametrize("user_id", ["", "a b", "x" * 151, "a\nb", "<script>"])
async def test_what_cannot_be_a_user_is_refused(manager, user_id):
    with pytest.raises(Invalid):
        await manager.distribute_task_tree(TaskTreeNode(work(manager, "one", user_id=user_id)))
    assert not await Tree.objects.aexists()


async def test_one_tree_has_one_owner(manager):
    first, second = work(manager, "one", user_id="ann"), work(manager, "two", user_id="bob")
    with pytest.raises(Invalid, match="same user_id"):
        await manager.distribute_task_tree(under(first, second))


async def test_a_viewer_cannot_run(manager):
    viewer = await sync_to_async(make_user)("vic", role="viewer")
    task = work(manager, "one")
    with pytest.raises(Forbidden):
        await manager.distribute_task_tree(TaskTreeNode(task), user=viewer)
    assert not await Tree.objects.aexists()
    await manager.distribute_task_tree(TaskTreeNode(task))  # nothing is lost by a refusal
    assert task.status == "completed"


async def test_a_draft_is_refused_by_name_and_nothing_is_stored(manager):
    task = manager.create_task("fetch_data", inputs={"url": "https://example.com"})
    with pytest.raises(Conflict, match="fetch_data") as refused:
        await manager.distribute_task_tree(TaskTreeNode(task))
    assert refused.value.code == "draft_tasks"
    assert not await Tree.objects.aexists()
    await manager.task_repository.update_task(task.id, executor="noop")
    await manager.distribute_task_tree(TaskTreeNode(task))
    assert task.status == "completed"


async def test_a_cycle_and_an_unknown_task_are_refused(manager):
    one = manager.create_task("one", dependencies=["two"])
    manager.create_task("two", dependencies=["one"])
    with pytest.raises(Invalid, match="cycle"):
        await manager.distribute_task_tree(TaskTreeNode(one))
    lost = manager.create_task("lost", dependencies=["nobody"])
    with pytest.raises(Invalid, match="nobody"):
        await manager.distribute_task_tree(TaskTreeNode(lost))
    twice = manager.create_task("twice")
    with pytest.raises(Invalid, match="twice"):
        await manager.distribute_task_tree(under(manager.create_task("root"), twice, twice))


async def test_a_stored_tree_does_not_grow(manager):
    root = work(manager, "root")
    await manager.distribute_task_tree(TaskTreeNode(root))
    with pytest.raises(Conflict, match="does not grow"):
        await manager.distribute_task_tree(under(root, work(manager, "late")))
    with pytest.raises(Conflict, match="from_copy"):
        await manager.distribute_task_tree(under(work(manager, "new"), root))
    elsewhere = TaskManager(create_session()).create_task("elsewhere")
    with pytest.raises(NotFound):
        await manager.distribute_task_tree(TaskTreeNode(elsewhere))


async def test_what_a_task_waits_for_comes_along_with_its_own_upstream_and_no_more(manager):
    far = work(manager, "far")
    near = work(manager, "near", dependencies=[far.id])
    middle = work(manager, "middle", parent_id=near.id)
    last = work(manager, "last", dependencies=[near.id, middle.id])
    unrelated = work(manager, "unrelated", dependencies=[last.id])
    tree = await manager.distribute_task_tree(TaskTreeNode(last))
    assert {node.task.name for node in tree.walk()} == {"far", "near", "middle", "last"}
    assert (far.parent_id, near.parent_id, middle.parent_id, last.parent_id) == (last.id, last.id, near.id, None)
    assert unrelated.tree_id is None


async def wait_until_running(task):
    async with asyncio.timeout(WAIT_S):
        while not await Attempt.objects.filter(task=task.id, status=Status.IN_PROGRESS).aexists():
            await asyncio.sleep(0.02)


async def test_a_running_tree_is_refused_a_second_time(manager):
    task = work(manager, "long", seconds=600)
    running = asyncio.create_task(manager.distribute_task_tree(TaskTreeNode(task)))
    await wait_until_running(task)
    with pytest.raises(AlreadyRunning):
        await manager.distribute_task_tree(TaskTreeNode(task))
    assert (await manager.cancel_task(task.id))["status"] in ("cancelling", "cancelled")
    await asyncio.wait_for(running, WAIT_S)
    assert (task.status, task.error) == ("cancelled", "Cancelled by local")


async def test_with_an_engine_elsewhere_the_manager_only_waits(manager):
    """As beside a running server."""
    server = EmbeddedEngine(CONF)
    await server.start()
    try:
        task = work(manager, "theirs")
        await asyncio.wait_for(manager.distribute_task_tree(TaskTreeNode(task)), WAIT_S)
        events = [event["kind"] async for event in manager.stream_task_tree(await manager.from_copy(task))]
    finally:
        await server.stop()
    assert task.status == "completed"
    assert (await Attempt.objects.filter(task=task.id).aget()).worker == server.worker
    assert (events[0], events[-1]) == ("run_started", "run_completed")


async def test_when_the_engine_elsewhere_ends_the_manager_takes_over(manager, monkeypatch):
    monkeypatch.setattr("orchestration.manager.working.RETRY_S", 0.2)
    server = EmbeddedEngine(CONF)
    await server.start()
    task = work(manager, "theirs", seconds=1.0)
    waiting = asyncio.create_task(manager.distribute_task_tree(TaskTreeNode(task)))
    await wait_until_running(task)
    await server.stop()
    await asyncio.wait_for(waiting, WAIT_S)
    assert task.status == "completed"
    workers = [attempt.worker async for attempt in Attempt.objects.filter(task=task.id).order_by("number")]
    assert len(set(workers)) == 2


async def test_who_stops_waiting_loses_nothing(manager):
    task = work(manager, "long", seconds=1.0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(manager.distribute_task_tree(TaskTreeNode(task)), 0.4)
    assert (await Run.objects.aget()).is_active
    await manager.distribute_task_tree(TaskTreeNode(work(manager, "another", seconds=1.7)))
    assert (await Run.objects.order_by("pk").afirst()).status == Status.COMPLETED  # its engine continued the first
    assert (await manager.task_repository.get_task_by_id(task.id)).status == "completed"


async def test_an_error_of_the_listener_reaches_the_caller(manager):
    def hear(event):
        raise RuntimeError("not interested")

    with pytest.raises(RuntimeError, match="not interested"):
        await manager.distribute_task_tree_with_streaming(TaskTreeNode(work(manager, "one")), on_event=hear)


async def test_a_session_that_is_closed_forgets_what_was_not_distributed(manager):
    with manager.session:
        task = manager.create_task("forgotten")
    assert await manager.task_repository.get_task_by_id(task.id) is None


OWN_EXECUTORS = """
import asyncio, os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "apflow_site.settings"
django.setup()
from orchestration.manager import TaskManager, TaskTreeNode, create_session

async def main():
    manager = TaskManager(create_session())
    fetch = manager.create_task("fetch_data", inputs={"url": "https://example.com"})
    process = manager.create_task("process_data", dependencies=[fetch.id], inputs={"operation": "count"})
    await manager.distribute_task_tree(TaskTreeNode(process))
    print(fetch.status, process.result)

if __name__ == "__main__":
    asyncio.run(main())
"""
SHOP = """
from orchestration.executors import executor

@executor
def fetch_data(url: str):
    return {"rows": [url, url]}

@executor
def process_data(rows: list, operation: str):
    return {operation: len(rows)}
"""


def test_executors_of_an_app_of_your_own_run_in_child_processes(transactional_db, tmp_path):
    app = tmp_path / "shop"
    app.mkdir()
    (app / "__init__.py").touch()
    (app / "executors.py").write_text(SHOP)
    (tmp_path / "own.py").write_text(OWN_EXECUTORS)
    assert registry.find("fetch_data") is None
    path = os.pathsep.join([str(settings.BASE_DIR), str(tmp_path)])
    environment = {**os.environ, "APFLOW_DATA_DIR": str(tmp_path), "APFLOW_APPS": "shop", "PYTHONPATH": path}
    environment |= database_of(tmp_path)
    migrate = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
    for command in (migrate, [sys.executable, str(tmp_path / "own.py")]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, env=environment, check=False)
        assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == "completed {'count': 2}\n"
