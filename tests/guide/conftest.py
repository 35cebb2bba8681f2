"""The session set-up of the guide's samples: a manager with an engine of its own, and executors of the names used.

A sample's executors run in the engine's loop, so that tests take tenths of seconds.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from orchestration.conf import Conf
from orchestration.executors import registry
from orchestration.executors.base import Executor, ExecutorError
from orchestration.manager import TaskManager, TaskTreeNode, create_session
from orchestration.models import Attempt

CONF = Conf(async_slots=20, process_slots=2, shutdown_s=1.0, grace_s=0.5)
TICK_S = 0.08  # how long a task works; long against the engine's own time


class Worker(Executor):
    """Works for a while, then gives *result* and what it was given, or fails."""

    merges_results = True
    isolated = False
    seconds = TICK_S
    result: dict = {}
    error = ""
    gate = None  # a threading.Event to wait for

    async def run(self, ctx):
        await asyncio.sleep(self.seconds)
        while self.gate is not None and not self.gate.is_set():
            await asyncio.sleep(0.01)
        if self.error:
            raise ExecutorError(self.error)
        return {**self.result, "by": self.id, "got": ctx.inputs, "knew": {d.name: d.status for d in ctx.dependencies}}


@pytest.fixture
def workers():
    """workers("a", "b", seconds=.., result={..}, error="..") registers executors of these names for one test."""
    made = []

    def make(*names, **attributes):
        for name in names:
            registry.register(type(name, (Worker,), {"id": name, "name": name, **attributes})())
            made.append(name)

    yield make
    for name in made:
        registry.unregister(name)


@pytest.fixture
def db(transactional_db):
    """The session of the guide."""
    return create_session(config=CONF)


@pytest.fixture
def task_manager(db):
    return TaskManager(db)


@pytest.fixture
def one_slot(transactional_db):
    """A manager whose engine does one thing at a time."""
    return TaskManager(create_session(config=Conf(async_slots=1, shutdown_s=1.0)))


@dataclass(frozen=True)
class Times:
    """When a task worked; not at all: None."""

    start: Any
    end: Any

    def before(self, other: Times) -> bool:
        return self.end <= other.start

    def overlaps(self, other: Times) -> bool:
        return self.start < other.end and other.start < self.end


@sync_to_async
def times_of(*tasks):
    """The Times of each task's newest attempt."""
    found = {}
    for attempt in Attempt.objects.filter(task__in=[task.id for task in tasks]).order_by("number"):
        found[str(attempt.task_id)] = Times(attempt.started_at.timestamp(), attempt.completed_at.timestamp())
    return [found.get(task.id, Times(None, None)) for task in tasks]


@sync_to_async
def start_order(*tasks):
    """Names in the order in which the tasks started."""
    attempts = Attempt.objects.filter(task__in=[task.id for task in tasks]).order_by("started_at", "pk")
    return list(attempts.values_list("task__name", flat=True))


def node(task, *children):
    """A TaskTreeNode with children."""
    made = TaskTreeNode(task)
    for child in children:
        made.add_child(child if isinstance(child, TaskTreeNode) else TaskTreeNode(child))
    return made
