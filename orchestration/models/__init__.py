"""Tables: fields, constraints, names. All writing is done by orchestration.services."""

from orchestration.models.attempt import Attempt
from orchestration.models.dependency import Dependency
from orchestration.models.event import Event
from orchestration.models.run import Run
from orchestration.models.share import TreeShare
from orchestration.models.task import Task
from orchestration.models.tree import Tree
from orchestration.models.worker import Worker

__all__ = ["Attempt", "Dependency", "Event", "Run", "Task", "Tree", "TreeShare", "Worker"]
