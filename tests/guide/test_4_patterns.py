"""The guide, "Common Patterns", in order: who starts after whom, and who works at the same time as whom."""

from __future__ import annotations

import itertools

import pytest

from tests.guide.conftest import node, times_of


def all_overlap(times):
    return all(one.overlaps(other) for one, other in itertools.combinations(times, 2))


async def test_pattern_1_sequential_pipeline(task_manager, workers):
    workers("step1", "step2", "step3")
    create_task = task_manager.create_task
    # ----
    task1 = create_task(name="step1")
    task2 = create_task(name="step2", dependencies=[{"id": task1.id, "required": True}])
    task3 = create_task(name="step3", dependencies=[{"id": task2.id, "required": True}])
    # ----
    await task_manager.distribute_task_tree(node(task3))
    one, two, three = await times_of(task1, task2, task3)
    assert one.before(two)
    assert two.before(three)


async def test_pattern_2_fan_out(task_manager, workers):
    workers("root", "task1", "task2", "task3")
    create_task = task_manager.create_task
    # ----
    root = create_task(name="root")
    task1 = create_task(name="task1", parent_id=root.id)  # No dependencies
    task2 = create_task(name="task2", parent_id=root.id)  # No dependencies
    task3 = create_task(name="task3", parent_id=root.id)  # No dependencies
    # ----
    await task_manager.distribute_task_tree(node(root, task1, task2, task3))
    assert all_overlap(await times_of(root, task1, task2, task3))


async def test_pattern_3_fan_in(task_manager, workers):
    workers("task1", "task2", "final")
    workers("task3", seconds=0.2)
    create_task = task_manager.create_task
    # ----
    task1 = create_task(name="task1")
    task2 = create_task(name="task2")
    task3 = create_task(name="task3")

    final = create_task(
        name="final",
        dependencies=[
            {"id": task1.id, "required": True},
            {"id": task2.id, "required": True},
            {"id": task3.id, "required": True},
        ],
    )
    # ----
    await task_manager.distribute_task_tree(node(final))
    *before, last = await times_of(task1, task2, task3, final)
    assert all_overlap(before)
    assert all(times.before(last) for times in before)


async def test_pattern_4_complex_workflow(task_manager, workers):
    workers("task1", "task2", "task3", "task4", "final")
    workers("task5", seconds=0.25)
    create_task = task_manager.create_task
    # ----
    root = create_task(name="root")
    task1 = create_task(name="task1", parent_id=root.id)
    task2 = create_task(name="task2", parent_id=root.id)
    task3 = create_task(name="task3", parent_id=root.id)

    task4 = create_task(
        name="task4",
        parent_id=root.id,
        dependencies=[
            {"id": task1.id, "required": True},
            {"id": task2.id, "required": True},
            {"id": task3.id, "required": True},
        ],
    )

    task5 = create_task(name="task5", parent_id=root.id)

    final = create_task(
        name="final",
        parent_id=root.id,
        dependencies=[{"id": task4.id, "required": True}, {"id": task5.id, "required": True}],
    )
    # ----
    await task_manager.distribute_task_tree(node(root, task1, task2, task3, task4, task5, final))
    one, two, three, four, five, last = await times_of(task1, task2, task3, task4, task5, final)
    assert all_overlap([one, two, three, five])
    assert all(times.before(four) for times in (one, two, three))
    assert four.overlaps(five)  # Task 4 does not wait for Task 5
    assert four.before(last)
    assert five.before(last)


@pytest.mark.parametrize("broken", ["", "primary", "fallback", "primary and fallback"])
async def test_pattern_5_conditional_execution(task_manager, workers, broken):
    for name in ("primary", "fallback"):
        workers(name, error="down" if name in broken else "")
    workers("success")
    create_task = task_manager.create_task
    # ----
    primary = create_task(name="primary")
    fallback = create_task(name="fallback")

    success = create_task(
        name="success",
        dependencies=[
            {"id": primary.id, "required": False},  # Optional
            {"id": fallback.id, "required": False},  # Optional
        ],
    )
    # ----
    await task_manager.distribute_task_tree(node(success))
    *before, last = await times_of(primary, fallback, success)
    assert all_overlap(before)
    assert all(times.before(last) for times in before)
    assert success.status == "completed"
    knew = {name: "failed" if name in broken else "completed" for name in ("primary", "fallback")}
    assert success.result["knew"] == knew
