"""The guide, "Task Copy and Re-execution": from_copy, from_link, from_archive, from_mixed, each of their statements."""

from __future__ import annotations

import pytest

from orchestration.domain.errors import Conflict, Forbidden, NotFound, OrchestrationError
from orchestration.models import Attempt, Run
from tests.guide.conftest import node


@pytest.fixture
async def done(task_manager, workers):
    """A completed tree: report(load, check <- load, send <- check and load)."""
    workers("load", result={"rows": 3}, seconds=0.01)
    workers("check", "send", seconds=0.01)
    create = task_manager.create_task
    report = create(name="report", user_id="user123", priority=1)
    load = create(name="load", user_id="user123", inputs={"path": "a.csv"}, params={"fast": True})
    check = create(name="check", user_id="user123", dependencies=[load.id])
    send = create(name="send", user_id="user123", dependencies=[check.id, {"id": load.id, "required": False}])
    await task_manager.distribute_task_tree(node(report, load, check, send))
    return {task.name: task for task in (report, load, check, send)}


def tasks_of(tree):
    return {found.task.name: found.task for found in tree.walk()}


def snapshot(tasks):
    keep = ("id", "name", "status", "result", "progress", "started_at", "completed_at", "inputs", "dependencies")
    return {name: [getattr(task, key) for key in keep] for name, task in tasks.items()}


async def read_again(task_manager, tasks):
    return {name: await task_manager.task_repository.get_task_by_id(task.id) for name, task in tasks.items()}


async def test_from_copy_has_new_ids_and_is_reset(task_manager, done):
    before = snapshot(done)
    copy = tasks_of(await task_manager.from_copy(done["report"]))
    assert set(copy) == set(done)
    assert not {task.id for task in copy.values()} & {task.id for task in done.values()}
    for name, task in copy.items():
        assert (task.status, task.result, task.progress, task.error) == ("pending", None, 0.0, None)
        assert (task.started_at, task.completed_at) == (None, None)
        assert (task.origin_type, task.original_task_id) == ("copy", done[name].id)
        assert (task.inputs, task.params, task.schemas) == (done[name].inputs, done[name].params, done[name].schemas)
        assert (task.user_id, task.priority, task.executor) == ("user123", done[name].priority, done[name].executor)
    # Original task remains unchanged
    assert snapshot(await read_again(task_manager, done)) == before
    assert all(task.has_references for task in done.values())


async def test_from_copy_keeps_the_structure_with_each_dependency_once(task_manager, done):
    tree = await task_manager.from_copy(done["report"])
    copy = tasks_of(tree)
    assert [child.task.name for child in tree.children] == ["load", "check", "send"]
    assert copy["check"].dependencies == [{"id": copy["load"].id, "required": True}]
    assert copy["send"].dependencies == [
        {"id": copy["check"].id, "required": True},
        {"id": copy["load"].id, "required": False},
    ]
    part = [found.task.name for found in (await task_manager.from_copy(done["send"])).walk()]
    assert sorted(part) == ["check", "load", "send"]  # what it waits for comes along, though two ways lead to load
    alone = await task_manager.from_copy(done["send"], recursive=False)
    assert ([found.task.name for found in alone.walk()], alone.task.dependencies) == (["send"], [])


async def test_a_copy_is_independent_and_runs(task_manager, done):
    original = snapshot(done)
    tree = await task_manager.from_copy(done["report"], overrides={done["load"].id: {"inputs": {"path": "b.csv"}}})
    await task_manager.distribute_task_tree(tree)
    copy = tasks_of(tree)
    assert {task.status for task in copy.values()} == {"completed"}
    assert copy["load"].result["got"] == {"path": "b.csv"}
    assert snapshot(await read_again(task_manager, done)) == original


async def test_from_link_shares_results_without_copying_them(task_manager, done):
    attempts = await Attempt.objects.acount()
    tree = await task_manager.from_link(done["report"], user_id="user123")
    links = tasks_of(tree)
    assert await Attempt.objects.acount() == attempts
    for name, task in links.items():
        assert (task.status, task.result, task.origin_type) == ("completed", done[name].result, "link")
        assert task.id != done[name].id
    runs = await Run.objects.acount()
    await task_manager.distribute_task_tree(tree)  # nothing of it ever runs
    assert await Run.objects.acount() == runs


async def test_from_link_refuses_another_user(task_manager, done):
    with pytest.raises((NotFound, Forbidden)):
        await task_manager.from_link(done["report"], user_id="somebody")
    with pytest.raises((NotFound, Forbidden)):
        await task_manager.from_mixed(done["report"], [done["load"]], user_id="somebody")


async def test_only_what_has_completed_can_be_linked_or_archived(task_manager, workers):
    workers("breaks", error="no")
    task = task_manager.create_task(name="breaks")
    await task_manager.distribute_task_tree(node(task))
    for derive in (task_manager.from_link, task_manager.from_archive):
        with pytest.raises(Conflict, match="completed"):
            await derive(task)
    archived = await task_manager.from_archive(task, finished=True)
    assert (archived.task.status, archived.task.error) == ("failed", "no")


async def test_from_archive_is_frozen_and_preserves_the_state(task_manager, done):
    tree = await task_manager.from_archive(done["report"])
    frozen = tasks_of(tree)
    for name, task in frozen.items():
        assert (task.status, task.result, task.origin_type) == ("completed", done[name].result, "archive")
        assert (task.started_at, task.completed_at) == (done[name].started_at, done[name].completed_at)
    with pytest.raises(Conflict, match="archive"):
        await task_manager.task_repository.update_task(frozen["load"].id, inputs={})
    before = snapshot(frozen)
    await task_manager.distribute_task_tree(tree)
    assert snapshot(await read_again(task_manager, frozen)) == before
    copy = await task_manager.from_copy(tree)
    assert copy.task.status == "pending"


async def test_from_mixed_copies_some_tasks_and_links_others(task_manager, done):
    tree = await task_manager.from_mixed(done["report"], [done["load"]])
    mixed = tasks_of(tree)
    assert {name: (task.status, task.origin_type) for name, task in mixed.items()} == {
        "report": ("pending", "copy"),
        "load": ("completed", "link"),
        "check": ("pending", "copy"),
        "send": ("pending", "copy"),
    }
    await task_manager.distribute_task_tree(tree)
    assert {task.status for task in mixed.values()} == {"completed"}
    assert mixed["check"].result["got"]["rows"] == 3  # runs use the linked results
    assert await Attempt.objects.filter(task=mixed["load"].id).acount() == 0


async def test_what_is_not_stored_cannot_be_copied(task_manager):
    task = task_manager.create_task(name="new")
    with pytest.raises(OrchestrationError, match="distribute"):
        await task_manager.from_copy(task)
