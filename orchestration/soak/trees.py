"""Random trees of tasks that leave a line each, and how a run of them must end."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

MOST = 12  # tasks of a tree
FAILING = 0.1  # part of the trees with a task that fails
ISOLATED = 0.2  # part of the tasks that run in a process of their own
TRIES = 100  # a task whose process is killed is tried again


@dataclass(frozen=True)
class Plan:
    """A tree as the API takes it. *ends*: how a run of it must end when nobody cancels it."""

    name: str
    tasks: list[dict[str, Any]] = field(default_factory=list)
    ends: str = "completed"


def random_plan(dice: random.Random, name: str, effects: str) -> Plan:
    """A tree called *name* whose tasks write to the file *effects*."""
    count = dice.randint(1, MOST)
    tasks: list[dict[str, Any]] = [{"id": "root", "name": name}]
    for number in range(count):
        awaits = dice.sample(range(number), min(number, dice.randint(0, 2)))
        tasks.append(
            {
                "id": f"t{number}",
                "name": f"t{number}",
                "parent_id": "root",
                "executor": "soak_child" if dice.random() < ISOLATED else "soak_mark",
                "inputs": {"file": effects, "s": round(dice.random() ** 3, 3)},
                "priority": dice.randint(0, 3),
                "max_attempts": TRIES,
                "backoff": {"strategy": "fixed", "base_s": 0.05},
                "dependencies": [{"id": f"t{other}", "required": dice.random() < 0.7} for other in awaits],
            }
        )
    if dice.random() >= FAILING:
        return Plan(name, tasks)
    bad = dice.choice(tasks[1:])
    bad["executor"], bad["max_attempts"] = "soak_fail", 1
    for one in tasks[1:]:  # a failure that somebody waits for with required=false alone would count as handled
        for edge in one["dependencies"]:
            edge["required"] = edge["required"] or edge["id"] == bad["id"]
    return Plan(name, tasks, "failed")
