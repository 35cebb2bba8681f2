"""The data that pages are measured with: a large run that has ended, one that goes on, a graph, many small runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from orchestration.bench.workloads import workload
from orchestration.builders.array import tree_from_array
from orchestration.domain.states import Status
from orchestration.engine.embedded import EmbeddedEngine
from orchestration.engine.headless import wait_ended
from orchestration.models import Tree
from orchestration.services.runs import run_start

GRAPH = 1000  # boxes; as of the small trees no more than the large runs have tasks
SMALL = 300  # trees with a run each


@dataclass(frozen=True, slots=True)
class Sample:
    """What pages are asked for. *live* is a run that goes on as soon as a server is there."""

    ended: int
    live: int
    graph: int
    boxes: int  # of the graph
    tree: int
    tasks: int


def sample_make(user: User, tasks: int, task_s: float) -> Sample:
    """The sample in this process's database, with runs of *tasks* tasks; those of the live run take *task_s* each."""
    boxes = min(GRAPH, tasks)
    ended, graph = _tree(user, "Ended", tasks), _tree(user, "Graph", boxes)
    small = [_tree(user, f"Small {number}", 3, "W2") for number in range(min(SMALL, tasks))]
    runs = asyncio.run(_run(user, [tree.pk for tree in (ended, graph, *small)]))
    live = _tree(user, "Live", tasks, executor="simulate", inputs={"duration_s": task_s})
    going = run_start(user=user, tree_id=live.pk)
    return Sample(runs[0], going.pk, runs[1], boxes, ended.pk, tasks)


def _tree(user: User, name: str, tasks: int, shape: str = "W3", **task: Any) -> Tree:
    array = [one | {"name": f"{name} {one['name']}", **task} for one in workload(shape, tasks).array("noop")]
    array[0]["name"] = name
    return tree_from_array(owner=user, data=array)


async def _run(user: User, trees: list[int]) -> list[int]:
    """Runs of *trees* that have completed."""
    engine = EmbeddedEngine()
    await engine.start()
    try:
        runs = [(await sync_to_async(run_start)(user=user, tree_id=tree)).pk for tree in trees]
        for run in runs:
            status = await wait_ended(engine, run)
            if status != Status.COMPLETED:
                raise RuntimeError(f"run {run} ended as {status}")
        return runs
    finally:
        await engine.stop()
