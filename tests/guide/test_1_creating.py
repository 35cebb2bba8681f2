"""The guide, "Core Concepts" and "Creating Task Trees", in order. What stands between the rules is the guide's text."""

from __future__ import annotations

from orchestration.manager import TaskManager, TaskTreeNode, create_session
from tests.guide.conftest import CONF, node, times_of


async def test_parent_child_relationship_is_organization_only(task_manager, workers):
    workers("task_a", "task_b")
    create_task = task_manager.create_task
    # ----
    # Task B is a child of Task A (organizational)
    task_a = create_task(name="task_a")
    task_b = create_task(name="task_b", parent_id=task_a.id)  # Child of A
    # ----
    tree = await task_manager.distribute_task_tree(node(task_a, task_b))
    assert (task_a.status, task_b.status) == ("completed", "completed")
    assert [child.task.id for child in tree.children] == [task_b.id]
    a, b = await times_of(task_a, task_b)
    assert a.overlaps(b)  # does NOT affect execution order


async def test_dependencies_control_execution(task_manager, workers):
    workers("task_b", "task_c")
    create_task = task_manager.create_task
    # ----
    # Task B depends on Task C (execution order)
    task_c = create_task(name="task_c")
    task_b = create_task(
        name="task_b",
        dependencies=[{"id": task_c.id, "required": True}],  # Waits for C
    )
    # Execution order: C runs first, then B
    # ----
    await task_manager.distribute_task_tree(node(task_b))
    c, b = await times_of(task_c, task_b)
    assert c.before(b)


async def test_combined_example(task_manager, workers):
    workers("task_a", "task_b", "task_c")
    create_task = task_manager.create_task
    # ----
    # Task B is a child of Task A (organizational)
    # But Task B depends on Task C (execution order)
    task_a = create_task(name="task_a")
    task_c = create_task(name="task_c")
    task_b = create_task(
        name="task_b",
        parent_id=task_a.id,  # Organizational: B is child of A
        dependencies=[{"id": task_c.id, "required": True}],  # Execution: B waits for C
    )
    # Execution order: C executes first, then B (regardless of parent-child)
    # ----
    await task_manager.distribute_task_tree(node(task_a, task_b))
    a, b, c = await times_of(task_a, task_b, task_c)
    assert c.before(b)
    assert a.overlaps(c)  # nothing makes A wait, and A makes nobody wait
    assert task_b.parent_id == task_a.id


async def test_task_lifecycle(task_manager, workers):
    workers("works")
    workers("breaks", error="it broke")
    good, bad = task_manager.create_task(name="works"), task_manager.create_task(name="breaks")
    assert good.status == "pending"
    seen = []
    root = node(task_manager.create_task(name="root"), good, bad)
    await task_manager.distribute_task_tree_with_streaming(root, on_event=seen.append)
    story = [event["kind"] for event in seen if event["task"] == good.id]
    assert story == ["task_ready", "task_started", "task_completed"]
    assert (good.status, good.error, bad.status, bad.error) == ("completed", None, "failed", "it broke")
    assert good.created_at <= good.started_at <= good.completed_at
    assert (good.progress, bad.result) == (1.0, None)


async def test_basic_task_tree(transactional_db, capsys):
    async def main():
        db = create_session(config=CONF)
        task_manager = TaskManager(db)

        # Create a task
        task = await task_manager.task_repository.create_task(
            name="system_info_executor",  # Executor ID
            user_id="user123",
            priority=2,
            inputs={"resource": "cpu"},
        )

        # Build task tree (even single tasks need a tree)
        task_tree = TaskTreeNode(task)

        # Execute
        await task_manager.distribute_task_tree(task_tree)

        # Get result
        result = await task_manager.task_repository.get_task_by_id(task.id)
        print(f"Status: {result.status}")
        print(f"Result: {result.result}")
        return result

    result = await main()
    assert result.result["resource"] == "cpu"
    assert result.result["cpu"]["count"] >= 1
    assert result.user_id == "user123"
    assert capsys.readouterr().out.startswith("Status: completed\nResult: {'resource': 'cpu'")


async def test_hierarchical_task_tree(task_manager, workers):
    workers("child_task_1", "child_task_2")
    # ----
    # Create root task
    root_task = await task_manager.task_repository.create_task(name="root_task", user_id="user123", priority=1)

    # Create child tasks
    child1 = await task_manager.task_repository.create_task(
        name="child_task_1",
        user_id="user123",
        parent_id=root_task.id,  # Child of root
        priority=2,
        inputs={"step": 1},
    )

    child2 = await task_manager.task_repository.create_task(
        name="child_task_2",
        user_id="user123",
        parent_id=root_task.id,  # Also child of root
        priority=2,
        inputs={"step": 2},
    )

    # Build tree
    root = TaskTreeNode(root_task)
    root.add_child(TaskTreeNode(child1))
    root.add_child(TaskTreeNode(child2))

    # Execute
    await task_manager.distribute_task_tree(root)
    # ----
    assert [task.status for task in (root_task, child1, child2)] == ["completed"] * 3
    assert (child1.result["got"], child2.result["got"]) == ({"step": 1}, {"step": 2})
    assert root_task.result is None  # no executor, no inputs: it groups the others
    first, second = await times_of(child1, child2)
    assert first.overlaps(second)
    assert root.calculate_status() == "completed"
    assert root.calculate_progress() == 1.0
