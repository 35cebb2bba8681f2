"""`aggregate_results`: the results of all dependencies in one object."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from orchestration.domain.states import Status
from orchestration.executors.base import ExecutionContext, Executor


class AggregateResults(Executor):
    id = "aggregate_results"
    name = "Aggregate results"
    description = (
        "Collects the results of all tasks that this one depends on into one object, with the failed ones named."
    )
    aliases = ("aggregate_results_executor",)
    input_schema = {
        "type": "object",
        "properties": {
            "summary": {"type": "string", "title": "Summary", "description": "A heading for the result.", "default": ""}
        },
    }
    output_schema = {
        "type": "object",
        "properties": {
            "summary": {"type": "string"},
            "timestamp": {"type": "string"},
            "results": {"type": "object"},
            "names": {"type": "object"},
            "result_count": {"type": "integer"},
            "failed": {"type": "array", "items": {"type": "string"}},
        },
    }
    isolated = False

    async def run(self, ctx: ExecutionContext) -> dict[str, Any]:
        done = [found for found in ctx.dependencies if found.status == Status.COMPLETED]
        missing = [found for found in ctx.dependencies if found.status != Status.COMPLETED]
        counted = f"{len(done)} of {len(ctx.dependencies)} results"
        return {
            "summary": ctx.inputs.get("summary") or ctx.params.get("summary") or counted,
            "timestamp": datetime.now(UTC).isoformat(),
            "results": {found.id: found.result for found in done},
            "names": {found.id: found.name for found in ctx.dependencies},
            "result_count": len(done),
            "failed": [found.id for found in missing],
        }
