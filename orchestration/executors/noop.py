"""`noop`: ends at once."""

from __future__ import annotations

from typing import Any

from orchestration.executors.base import ExecutionContext, Executor


class Noop(Executor):
    id = "noop"
    name = "No operation"
    description = "Does nothing and completes at once: a milestone, or a meeting point of several tasks."
    aliases = ("noop_executor",)
    output_schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    isolated = False

    async def run(self, ctx: ExecutionContext) -> dict[str, Any]:
        return {"ok": True}
