"""The executors of the benchmarks. Worker processes that are measured get them by APFLOW_APPS=orchestration.bench."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from orchestration.executors import registry
from orchestration.executors.base import ExecutionContext, Executor


class BenchNoop(Executor):
    """Says which task it worked for, and when it began and ended."""

    id = "bench_noop"
    name = "Benchmark"
    description = "Notes the time; registered by the benchmark only."
    isolated = False

    async def run(self, ctx: ExecutionContext) -> dict[str, Any]:
        began = time.time()
        if ms := ctx.inputs.get("ms"):
            await asyncio.sleep(ms / 1000)
        return {"i": ctx.inputs["i"], "s": began, "e": time.time()}


class BenchGate(Executor):
    """Completes once its file is there: what waits for it starts when the benchmark is ready."""

    id = "bench_gate"
    name = "Benchmark's gate"
    description = "Waits for a file; registered by the benchmark only."
    isolated = False

    async def run(self, ctx: ExecutionContext) -> None:
        while not os.path.exists(ctx.inputs["file"]):
            await asyncio.sleep(0.01)


for executor in (BenchNoop(), BenchGate()):
    if registry.find(executor.id) is None:
        registry.register(executor)
