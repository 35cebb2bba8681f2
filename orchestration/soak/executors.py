"""Executors whose every execution leaves a line. Processes under test get them by APFLOW_APPS=orchestration.soak."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from orchestration.executors import ExecutionContext, ExecutorError, executor, registry
from orchestration.executors.base import Executor


def mark(ctx: ExecutionContext, word: str = "did") -> None:
    """One line, whole even when many processes write at once."""
    line = f"{word} {ctx.idempotency_key} {ctx.task_name} {os.getpid()} {time.time()}\n".encode()
    descriptor = os.open(ctx.inputs["file"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def gate(ctx: ExecutionContext) -> str:
    """A file whose existence lets everything end that waits; "" where nothing does."""
    return f"{ctx.inputs['file']}.go" if ctx.inputs.get("hold") else ""


class SoakMark(Executor):
    """In the loop: for `s` seconds, with `hold` until the gate opens."""

    id = "soak_mark"
    name = "Soak"
    isolated = False

    async def run(self, ctx: ExecutionContext) -> dict[str, Any]:
        mark(ctx, "began")
        await asyncio.sleep(ctx.inputs.get("s", 0))
        while (path := gate(ctx)) and not os.path.exists(path):
            await asyncio.sleep(0.02)
        mark(ctx)
        return {"try": ctx.attempt}


class SoakFail(Executor):
    """Fails after it has left its line."""

    id = "soak_fail"
    name = "Soak failure"
    isolated = False

    async def run(self, ctx: ExecutionContext) -> None:
        mark(ctx)
        raise ExecutorError("as told", code="as_told", retryable=False)


if registry.find(SoakMark.id) is None:
    registry.register(SoakMark())
    registry.register(SoakFail())

    @executor(id="soak_child")
    def soak_child(ctx: ExecutionContext) -> dict[str, int]:
        """The same in a process of its own."""
        mark(ctx, "began")
        time.sleep(ctx.inputs.get("s", 0))
        while (path := gate(ctx)) and not os.path.exists(path):
            time.sleep(0.02)
        mark(ctx)
        return {"try": ctx.attempt}
