"""Trees with a long story, and somebody who reads it."""

from __future__ import annotations

import asyncio

from asgiref.sync import sync_to_async

from orchestration import feeds
from orchestration.conf import Conf
from orchestration.engine.embedded import EmbeddedEngine
from orchestration.models import Event, Run
from orchestration.services.runs import run_start
from tests.factories import make_tree, make_user, task

QUICK = Conf(async_slots=4, shutdown_s=1.0, grace_s=0.5)
WAIT_S = 60.0


def busy_tree(tasks=25, duration_s=0.04):
    """A tree that needs a second or two and tells a lot."""
    work = {"duration_s": duration_s, "steps": 2}
    chain = [task(f"t{i}", executor="simulate", inputs=work) for i in range(tasks)]
    return make_tree(task("Report", executor=""), *chain, owner=make_user("ann"))


def start(tree) -> Run:
    return run_start(user=tree.owner, tree_id=tree.pk)


async def run_to_end(tree) -> Run:
    """The ended run of *tree*."""
    engine = EmbeddedEngine(QUICK)
    await engine.start()
    try:
        run = await sync_to_async(start)(tree)
        await engine.ended(run.pk)
    finally:
        await engine.stop()
    return await Run.objects.aget(pk=run.pk)


async def rights_are_asked_for(run_id):
    """Whether the viewers of the run may watch is a question that waits for its answer."""
    async with asyncio.timeout(WAIT_S):
        while feeds._feeds[run_id].sights._batch is None:
            await asyncio.sleep(0.01)


def stored_seqs(run_id):
    return list(Event.objects.filter(run_id=run_id).order_by("seq").values_list("seq", flat=True))
