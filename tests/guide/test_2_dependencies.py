"""The guide, "Dependencies", in order."""

from __future__ import annotations

from orchestration.manager import TaskTreeNode
from tests.guide.conftest import node, times_of


async def test_basic_dependency(task_manager, workers):
    workers("fetch_data", result={"rows": [1, 2]})
    workers("process_data")
    # ----
    # Task 1: Fetch data
    fetch_task = await task_manager.task_repository.create_task(
        name="fetch_data", user_id="user123", priority=1, inputs={"url": "https://api.example.com/data"}
    )

    # Task 2: Process data (depends on Task 1)
    process_task = await task_manager.task_repository.create_task(
        name="process_data",
        user_id="user123",
        parent_id=fetch_task.id,
        dependencies=[{"id": fetch_task.id, "required": True}],  # Waits for fetch_task
        priority=2,
        inputs={"operation": "analyze"},
    )

    # Build tree
    task_tree = TaskTreeNode(fetch_task)
    task_tree.add_child(TaskTreeNode(process_task))

    # Execute
    # Execution order: fetch_task → process_task (automatic!)
    await task_manager.distribute_task_tree(task_tree)
    # ----
    fetched, processed = await times_of(fetch_task, process_task)
    assert fetched.before(processed)
    assert process_task.result["got"]["operation"] == "analyze"
    assert process_task.result["got"]["rows"] == [1, 2]


async def test_sequential_pipeline(task_manager, workers):
    workers("fetch_data", "process_data", "save_results")
    # ----
    # Step 1: Fetch
    fetch = await task_manager.task_repository.create_task(name="fetch_data", user_id="user123", priority=1)

    # Step 2: Process (depends on fetch)
    process = await task_manager.task_repository.create_task(
        name="process_data",
        user_id="user123",
        parent_id=fetch.id,
        dependencies=[{"id": fetch.id, "required": True}],
        priority=2,
    )

    # Step 3: Save (depends on process)
    save = await task_manager.task_repository.create_task(
        name="save_results",
        user_id="user123",
        parent_id=fetch.id,
        dependencies=[{"id": process.id, "required": True}],
        priority=3,
    )

    # Build pipeline
    root = TaskTreeNode(fetch)
    root.add_child(TaskTreeNode(process))
    root.add_child(TaskTreeNode(save))

    # Execute
    # Order: Fetch → Process → Save (automatic!)
    await task_manager.distribute_task_tree(root)
    # ----
    first, second, third = await times_of(fetch, process, save)
    assert first.before(second)
    assert second.before(third)


async def test_multiple_dependencies(task_manager, workers):
    workers("task1", seconds=0.05)
    workers("task2", seconds=0.2)
    workers("task3")
    root_task = task_manager.create_task(name="root_task", user_id="user123")
    # ----
    # Task 1
    task1 = await task_manager.task_repository.create_task(name="task1", user_id="user123", priority=1)

    # Task 2
    task2 = await task_manager.task_repository.create_task(name="task2", user_id="user123", priority=1)

    # Task 3 depends on BOTH Task 1 and Task 2
    task3 = await task_manager.task_repository.create_task(
        name="task3",
        user_id="user123",
        parent_id=root_task.id,
        dependencies=[{"id": task1.id, "required": True}, {"id": task2.id, "required": True}],
        priority=2,
    )
    # ----
    await task_manager.distribute_task_tree(node(root_task, task3))
    one, two, three = await times_of(task1, task2, task3)
    assert one.before(three)
    assert two.before(three)
    assert one.overlaps(two)
    assert {task1.parent_id, task2.parent_id} == {root_task.id}  # they have no place of their own in the tree


async def test_required_dependencies(task_manager, workers):
    workers("task1", error="no disk")
    workers("task2", "task3")
    task1 = task_manager.create_task(name="task1")
    # ----
    dependencies = [
        {"id": task1.id, "required": True}  # Must complete successfully
    ]
    # ----
    task2 = task_manager.create_task(name="task2", dependencies=dependencies)
    task3 = task_manager.create_task(name="task3", dependencies=[task1.id])  # This is the default behavior
    await task_manager.distribute_task_tree(node(task_manager.create_task(name="all"), task2, task3))
    assert (task1.status, task1.error) == ("failed", "no disk")
    for dependent in (task2, task3):  # If dependency fails, dependent task does NOT execute
        assert (dependent.status, dependent.blocked_by, dependent.started_at) == ("pending", task1.id, None)
    assert [times.start for times in await times_of(task2, task3)] == [None, None]


async def test_a_required_dependency_that_completes_lets_the_task_run(task_manager, workers):
    workers("task1", "task2")
    task1 = task_manager.create_task(name="task1")
    task2 = task_manager.create_task(name="task2", dependencies=[{"id": task1.id, "required": True}])
    await task_manager.distribute_task_tree(node(task2))
    one, two = await times_of(task1, task2)
    assert one.before(two)


async def test_optional_dependencies(task_manager, workers):
    workers("task1", error="no disk")
    workers("task2")
    task1 = task_manager.create_task(name="task1")
    # ----
    dependencies = [
        {"id": task1.id, "required": False}  # Can execute even if task1 fails
    ]
    # ----
    task2 = task_manager.create_task(name="task2", dependencies=dependencies)
    await task_manager.distribute_task_tree(node(task2))
    assert (task1.status, task2.status) == ("failed", "completed")
    one, two = await times_of(task1, task2)
    assert one.before(two)  # Task waits for dependency to complete (or fail)


async def test_optional_dependencies_example(task_manager, workers):
    workers("primary_task", error="primary is down")
    workers("fallback_task")
    # ----
    # Primary task
    primary = await task_manager.task_repository.create_task(name="primary_task", user_id="user123", priority=1)

    # Fallback task (runs even if primary fails)
    fallback = await task_manager.task_repository.create_task(
        name="fallback_task",
        user_id="user123",
        dependencies=[{"id": primary.id, "required": False}],  # Optional
        priority=2,
    )
    # ----
    await task_manager.distribute_task_tree(node(fallback))
    assert (primary.status, fallback.status) == ("failed", "completed")
    assert fallback.result["knew"] == {"primary_task": "failed"}
