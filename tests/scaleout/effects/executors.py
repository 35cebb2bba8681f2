"""Executors whose every execution can be counted: each writes one line to the file that inputs name."""

from __future__ import annotations

import asyncio
import os
import time

from orchestration.executors import ExecutionContext, executor, registry
from orchestration.executors.base import Executor


def mark(path, ctx, word="did"):
    """One line, whole even when many processes write at once."""
    line = f"{word} {ctx.task_name} {os.getpid()} {time.time()}\n".encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def register(made):
    registry.register(made())
    return made


@register
class Mark(Executor):
    """In the worker's own loop."""

    id = "so_mark"
    name = "Mark"
    isolated = False

    async def run(self, ctx):
        await asyncio.sleep(ctx.inputs.get("s", 0))
        mark(ctx.inputs["file"], ctx)
        return {"name": ctx.task_name, "got": [d.result for d in ctx.dependencies]}


@register
class Hold(Executor):
    """In the worker's own loop, until the test says go."""

    id = "so_hold"
    name = "Hold"
    isolated = False

    async def run(self, ctx):
        path = ctx.inputs["file"]
        mark(path, ctx, "began")
        end = time.monotonic() + ctx.inputs.get("s", 60)
        while time.monotonic() < end and not os.path.exists(path + ".go"):
            await asyncio.sleep(0.02)
        mark(path, ctx)
        return {"attempt": ctx.attempt}


@executor(id="so_child")
def so_child(inputs, ctx: ExecutionContext):
    mark(inputs["file"], ctx, "began")
    end = time.monotonic() + inputs.get("s", 60)
    while time.monotonic() < end and not os.path.exists(inputs["file"] + ".go"):
        time.sleep(0.02)
    mark(inputs["file"], ctx)
    return {"pid": os.getpid()}
