"""The guide, "Priorities", in order. One slot, so that somebody has to wait."""

from __future__ import annotations

from tests.guide.conftest import node, start_order, times_of


async def test_priority_levels(one_slot, workers):
    workers("low", "normal", "high", "urgent", seconds=0.02)
    create_task = one_slot.create_task
    low, normal = create_task(name="low", priority=3), create_task(name="normal")
    high, urgent = create_task(name="high", priority=1), create_task(name="urgent", priority=0)
    assert normal.priority == 2  # Normal (default)
    await one_slot.distribute_task_tree(node(create_task(name="root"), low, normal, high, urgent))
    assert await start_order(low, normal, high, urgent) == ["urgent", "high", "normal", "low"]


async def test_basic_priority(one_slot, workers):
    task_manager = one_slot
    workers("urgent_task", "normal_task", seconds=0.02)
    # ----
    # Urgent task (executes first)
    urgent = await task_manager.task_repository.create_task(
        name="urgent_task",
        user_id="user123",
        priority=0,  # Highest priority
    )

    # Normal task (executes after urgent)
    normal = await task_manager.task_repository.create_task(
        name="normal_task",
        user_id="user123",
        priority=2,  # Normal priority
    )
    # ----
    root = task_manager.create_task(name="root", user_id="user123")
    await task_manager.distribute_task_tree(node(root, normal, urgent))  # not in this order
    first, second = await times_of(urgent, normal)
    assert first.before(second)


async def test_priority_with_dependencies(one_slot, workers):
    task_manager = one_slot
    workers("task1", "task2", seconds=0.02)
    # ----
    # Task 1 (priority 2, no dependencies)
    task1 = await task_manager.task_repository.create_task(name="task1", user_id="user123", priority=2)

    # Task 2 (priority 0, depends on Task 1)
    task2 = await task_manager.task_repository.create_task(
        name="task2",
        user_id="user123",
        dependencies=[{"id": task1.id, "required": True}],
        priority=0,  # Higher priority, but still waits for Task 1!
    )
    # ----
    await task_manager.distribute_task_tree(node(task2, task1))
    assert await start_order(task1, task2) == ["task1", "task2"]
    first, second = await times_of(task1, task2)
    assert first.before(second)
