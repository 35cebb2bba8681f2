"""The guide, "Best Practices", in order."""

from __future__ import annotations

from orchestration.manager import TaskTreeNode
from tests.guide.conftest import node, start_order, times_of


async def test_use_meaningful_task_names(task_manager, workers):
    create_task = task_manager.create_task
    good = [
        create_task(name="fetch_user_data"),
        create_task(name="process_payment"),
        create_task(name="send_notification_email"),
    ]
    bad = [create_task(name="task1"), create_task(name="do_stuff"), create_task(name="x")]  # bad, but allowed
    tree = await task_manager.distribute_task_tree(node(create_task(name="root"), *good, *bad))
    names = ["fetch_user_data", "process_payment", "send_notification_email", "task1", "do_stuff", "x"]
    assert [child.task.name for child in tree.children] == names


async def test_set_appropriate_priorities(one_slot, workers):
    workers("process_payment", "process_data", "cleanup", seconds=0.02)
    create_task = one_slot.create_task
    # ----
    # Critical payment processing
    payment = create_task(name="process_payment", priority=0)

    # Normal data processing
    data = create_task(name="process_data", priority=2)

    # Background cleanup
    cleanup = create_task(name="cleanup", priority=3)
    # ----
    await one_slot.distribute_task_tree(node(create_task(name="root"), cleanup, data, payment))
    assert await start_order(payment, data, cleanup) == ["process_payment", "process_data", "cleanup"]


async def test_handle_dependencies_explicitly(task_manager, workers):
    workers("task1", "task2", "bad1", "bad2")
    create_task = task_manager.create_task
    task1 = create_task(name="task1")
    # ----
    task2 = create_task(
        name="task2",
        dependencies=[{"id": task1.id, "required": True}],  # Explicit
    )
    # ----
    # Relying on implicit order - don't do this!
    bad1 = create_task(name="bad1")
    bad2 = create_task(name="bad2")  # No dependency, but hoping bad1 runs first
    await task_manager.distribute_task_tree(node(create_task(name="root"), task2, bad1, bad2))
    one, two, three, four = await times_of(task1, task2, bad1, bad2)
    assert one.before(two)
    assert three.overlaps(four)


async def test_use_parent_child_for_organization_dependencies_for_execution(task_manager, workers):
    workers("root", "child", "other_task", "bad_child")
    create_task = task_manager.create_task
    other = create_task(name="other_task")
    # ----
    root = create_task(name="root")
    child = create_task(
        name="child",
        parent_id=root.id,  # Organizational
        dependencies=[{"id": "other_task", "required": True}],  # Execution
    )
    # ----
    # Don't rely on parent-child for execution order!
    bad_child = create_task(
        name="bad_child",
        parent_id=root.id,  # This doesn't guarantee execution order!
    )
    await task_manager.distribute_task_tree(node(root, child, bad_child))
    top, one, awaited, bad = await times_of(root, child, other, bad_child)
    assert awaited.before(one)  # a name does where it is unique
    assert top.overlaps(awaited)
    assert top.overlaps(bad)


async def test_handle_errors_gracefully(task_manager, workers, capsys):
    workers("works")
    workers("breaks", error="out of paper")
    tasks = [task_manager.create_task(name="works"), task_manager.create_task(name="breaks")]
    task_tree = TaskTreeNode(task_manager.create_task(name="root"))
    for task in tasks:
        task_tree.add_child(TaskTreeNode(task))
    # ----
    await task_manager.distribute_task_tree(task_tree)

    # Check all tasks
    for task in tasks:
        result = await task_manager.task_repository.get_task_by_id(task.id)
        if result.status == "failed":
            print(f"Task {task.id} failed: {result.error}")
            # Handle failure appropriately
    # ----
    assert capsys.readouterr().out == f"Task {tasks[1].id} failed: out of paper\n"


async def test_keep_task_trees_manageable(task_manager):
    """Massive trees are bad style and work all the same."""
    root = node(task_manager.create_task(name="root"))
    for number in range(300):
        root.add_child(TaskTreeNode(task_manager.create_task(name=f"noop {number}", executor="noop")))
    await task_manager.distribute_task_tree(root)
    assert root.calculate_status() == "completed"
    assert root.calculate_progress() == 1.0
