"""The Python API: create tasks, put them into a tree, run it, read what came of it (docs/python-api.md)."""

from orchestration.manager.records import TaskRecord, TaskTreeNode
from orchestration.manager.repository import TaskRepository
from orchestration.manager.session import Session, create_session
from orchestration.manager.task_manager import TaskManager

__all__ = ["Session", "TaskManager", "TaskRecord", "TaskRepository", "TaskTreeNode", "create_session"]
