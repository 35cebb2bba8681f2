"""The code that tasks run, chosen by name from the registry."""

from orchestration.executors.base import ExecutionContext, Executor, ExecutorError
from orchestration.executors.functions import executor
from orchestration.executors.registry import UnknownExecutor

__all__ = ["ExecutionContext", "Executor", "ExecutorError", "UnknownExecutor", "executor"]
