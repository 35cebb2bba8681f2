"""`system_info`: processor, memory and disk of the machine that runs the engine."""

from __future__ import annotations

import asyncio
import os
import platform
from typing import Any

import psutil

from orchestration.executors.base import ExecutionContext, Executor, ExecutorError

RESOURCES = ("cpu", "memory", "disk")
SAMPLE_S = 0.1  # over which the processor's load is measured


class SystemInfo(Executor):
    id = "system_info"
    name = "System information"
    description = "Reports processor, memory and disk use of the machine that runs the engine."
    aliases = ("system_info_executor",)
    input_schema = {
        "type": "object",
        "properties": {
            "resource": {
                "type": "string",
                "title": "Resource",
                "description": "What to report.",
                "enum": [*RESOURCES, "all"],
                "default": "all",
            }
        },
    }
    output_schema = {
        "type": "object",
        "properties": {
            "resource": {"type": "string"},
            "host": {"type": "object"},
            "cpu": {"type": "object"},
            "memory": {"type": "object"},
            "disk": {"type": "object"},
        },
        "required": ["resource", "host"],
    }
    isolated = False

    async def run(self, ctx: ExecutionContext) -> dict[str, Any]:
        resource = ctx.inputs.get("resource", "all")
        if resource not in (*RESOURCES, "all"):
            raise ExecutorError(
                f"resource: choose one of {', '.join(RESOURCES)}, all", code="invalid_inputs", retryable=False
            )
        wanted = RESOURCES if resource == "all" else (resource,)
        found: dict[str, Any] = {"resource": resource, "host": _host()}
        for name in wanted:
            found[name] = await _cpu() if name == "cpu" else _memory() if name == "memory" else _disk()
        return found


def _host() -> dict[str, Any]:
    return {
        "name": platform.node(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


async def _cpu() -> dict[str, Any]:
    psutil.cpu_percent(interval=None)
    await asyncio.sleep(SAMPLE_S)
    load = os.getloadavg() if hasattr(os, "getloadavg") else None
    return {
        "percent": psutil.cpu_percent(interval=None),
        "count": psutil.cpu_count(),
        "physical_count": psutil.cpu_count(logical=False),
        "load_average": [round(value, 2) for value in load] if load else None,
    }


def _memory() -> dict[str, Any]:
    memory = psutil.virtual_memory()
    return {
        "total_bytes": memory.total,
        "available_bytes": memory.available,
        "used_bytes": memory.used,
        "percent": memory.percent,
    }


def _disk() -> dict[str, Any]:
    disk = psutil.disk_usage(os.path.abspath(os.sep))
    return {"total_bytes": disk.total, "used_bytes": disk.used, "free_bytes": disk.free, "percent": disk.percent}
