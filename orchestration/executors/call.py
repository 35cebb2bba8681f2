"""Calls an in-loop executor so that nothing it raises can end the event loop."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from orchestration.executors.base import ExecutionContext, Executor
from orchestration.executors.outcomes import Crash


async def run_async(executor: Executor, ctx: ExecutionContext) -> Any:
    """The result of *executor*. Raises what it raises; SystemExit and its kin, which would end the loop, as Crash.

    CancelledError passes only when the calling task was really cancelled; one that the executor made up is a Crash.
    """
    try:
        value = executor.run(ctx)
        return await value if inspect.isawaitable(value) else value
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Crash("the executor raised CancelledError") from error
    except Exception:
        raise
    except BaseException as error:
        raise Crash(type(error).__name__) from error
