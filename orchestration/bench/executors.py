"""The executor of the benchmark. Worker processes that are measured get it by APFLOW_APPS=orchestration.bench."""

from __future__ import annotations

import asyncio
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


if registry.find(BenchNoop.id) is None:
    registry.register(BenchNoop())
