"""Executors of the scenarios; they run in the engine's loop."""

from __future__ import annotations

from orchestration.executors.base import Executor, ExecutorError

RAISED = {
    kind.__name__: kind for kind in (ValueError, KeyError, ExecutorError, RuntimeError, TimeoutError, ConnectionError)
}


class Echo(Executor):
    """Gives back its inputs."""

    id = "s_echo"
    name = "Echo"
    isolated = False
    merges_results = True

    async def run(self, ctx):
        return ctx.inputs


class Knows(Executor):
    """Gives back what it was told about its dependencies."""

    id = "s_knows"
    name = "Knows"
    isolated = False

    async def run(self, ctx):
        return [[d.name, d.status, d.result] for d in ctx.dependencies]


class Raise(Executor):
    """Raises what its inputs name."""

    id = "s_raise"
    name = "Raise"
    isolated = False

    async def run(self, ctx):
        kind = ctx.inputs["kind"]
        raise RAISED[kind](f"message of {kind}")


EXECUTORS = (Echo, Knows, Raise)
