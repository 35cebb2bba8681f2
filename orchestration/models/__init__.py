"""Tables: fields, constraints, names. All writing is done by orchestration.services."""

from orchestration.models.attempt import Attempt
from orchestration.models.audit import AuditEntry, AuditHead
from orchestration.models.dependency import Dependency
from orchestration.models.event import Event
from orchestration.models.idempotency import IdempotencyKey, Throttle
from orchestration.models.run import Run
from orchestration.models.share import TreeShare
from orchestration.models.task import Task
from orchestration.models.token import ApiToken
from orchestration.models.tree import Tree
from orchestration.models.worker import Worker

__all__ = [
    "ApiToken",
    "Attempt",
    "AuditEntry",
    "AuditHead",
    "Dependency",
    "Event",
    "IdempotencyKey",
    "Run",
    "Task",
    "Throttle",
    "Tree",
    "TreeShare",
    "Worker",
]
