"""Tables: fields, constraints, names. All writing is done by orchestration.services."""

from orchestration.models.attempt import Attempt
from orchestration.models.audit import AuditEntry, AuditHead
from orchestration.models.bulk import BulkOperation
from orchestration.models.dependency import Dependency
from orchestration.models.draft import DraftStep, TreeDraft
from orchestration.models.event import Event
from orchestration.models.idempotency import IdempotencyKey, Throttle
from orchestration.models.profile import Profile
from orchestration.models.report import Report
from orchestration.models.run import Run
from orchestration.models.saved import SavedFilter
from orchestration.models.secret import Secret
from orchestration.models.share import TreeShare
from orchestration.models.task import Task
from orchestration.models.token import ApiToken
from orchestration.models.tree import Tree
from orchestration.models.trigger import Trigger, TriggerUse
from orchestration.models.webhook import Webhook, WebhookCursor, WebhookDelivery
from orchestration.models.worker import Worker

__all__ = [
    "ApiToken",
    "Attempt",
    "AuditEntry",
    "AuditHead",
    "BulkOperation",
    "Dependency",
    "DraftStep",
    "Event",
    "IdempotencyKey",
    "Profile",
    "Report",
    "Run",
    "SavedFilter",
    "Secret",
    "Task",
    "Throttle",
    "Tree",
    "TreeDraft",
    "TreeShare",
    "Trigger",
    "TriggerUse",
    "Webhook",
    "WebhookCursor",
    "WebhookDelivery",
    "Worker",
]
