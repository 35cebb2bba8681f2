"""`simulate`: takes time, reports progress, fails on request; for demonstrations and tests."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from orchestration.executors.base import ExecutionContext, Executor, ExecutorError

MAX_DURATION_S = 3600.0


class Simulate(Executor):
    id = "simulate"
    name = "Simulate work"
    description = "Takes the given time in steps, reports progress, and then completes or fails as told."
    aliases = ("simulate_executor",)
    input_schema = {
        "type": "object",
        "properties": {
            "duration_s": {
                "type": "number",
                "title": "Duration (seconds)",
                "minimum": 0,
                "maximum": MAX_DURATION_S,
                "default": 1,
            },
            "steps": {"type": "integer", "title": "Progress steps", "minimum": 1, "maximum": 1000, "default": 10},
            "message": {"type": "string", "title": "Message", "description": "Shown with the progress.", "default": ""},
            "result": {"title": "Result", "description": "Returned as it is."},
            "fail": {
                "type": "string",
                "title": "Fail with",
                "description": "Empty: the task completes. Else it fails with this text.",
                "default": "",
            },
            "fail_attempts": {
                "type": "integer",
                "title": "Fail the first attempts",
                "description": "Only so many attempts fail, later ones complete. 0 with a text above: all fail.",
                "minimum": 0,
                "default": 0,
            },
            "error_code": {"type": "string", "title": "Error code", "default": "simulated_failure"},
        },
    }
    isolated = False

    async def run(self, ctx: ExecutionContext) -> Any:
        inputs = ctx.inputs
        duration_s = _duration(inputs.get("duration_s", 1))
        await self._take_time(ctx, duration_s, max(1, min(1000, int(inputs.get("steps", 10)))))
        if self._must_fail(ctx):
            message = str(inputs.get("fail") or f"attempt {ctx.attempt} fails as asked")
            raise ExecutorError(message, code=str(inputs.get("error_code") or "simulated_failure"))
        if "result" in inputs:
            return inputs["result"]
        return {"simulated": True, "duration_s": duration_s, "attempt": ctx.attempt}

    async def _take_time(self, ctx: ExecutionContext, duration_s: float, steps: int) -> None:
        message = str(ctx.inputs.get("message", ""))
        loop = asyncio.get_running_loop()
        started = loop.time()
        for step in range(1, steps + 1 if duration_s else 1):
            await asyncio.sleep(max(0.0, started + duration_s * step / steps - loop.time()))
            ctx.progress(step / steps, message or f"step {step} of {steps}")

    def _must_fail(self, ctx: ExecutionContext) -> bool:
        first = int(ctx.inputs.get("fail_attempts") or 0)
        return ctx.attempt <= first if first else bool(ctx.inputs.get("fail"))


def _duration(given: Any) -> float:
    duration_s = float(given)
    if not math.isfinite(duration_s) or not 0 <= duration_s <= MAX_DURATION_S:
        raise ExecutorError(f"duration_s: give 0 to {MAX_DURATION_S:g} seconds", code="invalid_inputs", retryable=False)
    return duration_s
