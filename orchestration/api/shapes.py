"""What the API answers with: explicit fields, no more and no less."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from orchestration.domain.states import Mode, Origin, Status
from orchestration.models import TreeShare
from orchestration.models.choices import WORKER_KIND_CHOICES
from orchestration.models.token import SCOPES
from orchestration.models.trigger import PROOFS, USES

STATUSES = [str(s) for s in Status]
ENDS = [s for s in STATUSES if s != Status.PENDING]
ORIGINS = [str(o) for o in Origin]
RIGHTS = [right for right, _ in TreeShare.RIGHTS]
MODES = [str(m) for m in Mode]
Count = serializers.IntegerField
Time = serializers.DateTimeField


class Shape(serializers.Serializer[Any]):
    """The base of what is answered. *only*: the fields to show."""

    def __init__(self, *args: Any, only: Iterable[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if only is not None:
            for name in set(self.fields) - set(only):
                del self.fields[name]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        only = kwargs.pop("only", None)
        if kwargs.get("many"):
            kwargs["child"] = cls(only=only, context=kwargs.get("context") or {})
            kwargs.pop("many")
            return serializers.ListSerializer(*args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    @classmethod
    def names(cls) -> list[str]:
        """The names of all fields."""
        return list(cls().fields)


class TreeShape(Shape):
    id = serializers.IntegerField()
    name = serializers.CharField()
    owner = serializers.CharField(source="owner.username")
    root = serializers.UUIDField(help_text="Id of the root task")  # type: ignore[assignment]
    labels = serializers.ListField(child=serializers.CharField())
    origin_type = serializers.ChoiceField(choices=ORIGINS)
    original = serializers.IntegerField(source="original_id", allow_null=True)
    task_count = Count()
    run_count = Count()
    run = serializers.IntegerField(allow_null=True, help_text="Id of the newest run")
    status = serializers.ChoiceField(choices=ENDS, allow_null=True, help_text="State of the newest run")
    max_parallel = Count(help_text="Attempts of a run at a time; 0 = no limit")
    version = Count()
    archived_at = Time(allow_null=True)
    created_at = Time()
    updated_at = Time()


class ProblemShape(Shape):
    path = serializers.CharField()
    message = serializers.CharField()
    code = serializers.CharField()


class NewTreeShape(TreeShape):
    warnings = serializers.SerializerMethodField()

    def get_warnings(self, _tree: Any) -> list[dict[str, str]]:
        warnings: list[dict[str, str]] = self.context.get("warnings", [])
        return warnings


class TaskShape(Shape):
    id = serializers.UUIDField()
    tree = serializers.IntegerField(source="tree_id")
    parent = serializers.UUIDField(source="parent_id", allow_null=True)  # type: ignore[assignment]
    position = Count(help_text="Place in the outline; 0 = root")
    depth = Count()
    name = serializers.CharField()
    executor = serializers.CharField(help_text="Id of the executor; empty: a group or a draft")
    priority = Count(help_text="0 urgent, 1 high, 2 normal, 3 low")
    timeout_s = serializers.FloatField(allow_null=True)
    max_attempts = Count()
    version = Count()
    origin_type = serializers.ChoiceField(choices=ORIGINS)
    original = serializers.UUIDField(source="original_id", allow_null=True)
    has_references = serializers.BooleanField()
    run = serializers.IntegerField(source="run_id", allow_null=True, help_text="Newest run that had it in its scope")
    status = serializers.ChoiceField(choices=STATUSES)
    attempt = Count(help_text="Number of the newest attempt; 0 = none")
    progress = serializers.FloatField(help_text="0.0 to 1.0")
    error = serializers.CharField(allow_null=True)
    blocked_by = serializers.UUIDField(source="blocked_by_id", allow_null=True)
    ready_at = Time(allow_null=True)
    retry_at = Time(allow_null=True)
    stop_requested_at = Time(allow_null=True)
    created_at = Time()
    started_at = Time(allow_null=True)
    completed_at = Time(allow_null=True)
    updated_at = Time()


class TaskDetailShape(TaskShape):
    inputs = serializers.JSONField()
    params = serializers.JSONField()
    schemas = serializers.JSONField()
    backoff = serializers.JSONField()
    result = serializers.JSONField(source="newest_result", help_text="Of the newest attempt")


class DependencyShape(Shape):
    id = serializers.IntegerField()
    task = serializers.UUIDField(source="task_id")
    depends_on = serializers.UUIDField(source="depends_on_id")
    position = Count()
    required = serializers.BooleanField()  # type: ignore[assignment]
    map = serializers.JSONField(help_text="Input field -> path in the result; or null")

    def get_fields(self) -> dict[str, Any]:
        """With `as`, which is no name in Python."""
        key = serializers.CharField(source="as_key", allow_null=True, help_text="The input that takes the result")
        return {**super().get_fields(), "as": key}


class TaskDependencyShape(DependencyShape):
    version = Count(source="task.version", help_text="Of the task that waits")


class RunShape(Shape):
    id = serializers.IntegerField()
    tree = serializers.IntegerField(source="tree_id")
    number = Count(help_text="1, 2, 3 ... within the tree")
    status = serializers.ChoiceField(choices=ENDS)
    mode = serializers.ChoiceField(choices=MODES)
    retry_of = serializers.IntegerField(source="retry_of_id", allow_null=True)
    started_by = serializers.CharField(source="started_by.username", default=None, allow_null=True)
    started_via = serializers.CharField(help_text="What started it with their rights, such as a trigger; or empty")
    seq = Count(help_text="Number of its newest event")
    total = Count()
    pending = Count()
    running = Count()
    completed = Count()
    failed = Count()
    cancelled = Count()
    blocked = Count()
    cancel_requested_at = Time(allow_null=True)
    cancelled_by = serializers.CharField(source="cancelled_by.username", default=None, allow_null=True)
    reason = serializers.CharField()
    started_at = Time()
    completed_at = Time(allow_null=True)


class RunDetailShape(RunShape):
    chosen = serializers.JSONField()
    overrides = serializers.JSONField()


class AttemptShape(Shape):
    id = serializers.IntegerField()
    task = serializers.UUIDField(source="task_id")
    run = serializers.IntegerField(source="run_id")
    number = Count(help_text="Rises by one per attempt of the task")
    try_number = Count(help_text="Within the run")
    status = serializers.ChoiceField(choices=ENDS)
    executor = serializers.CharField()
    worker = serializers.CharField()
    error = serializers.CharField(allow_null=True)
    error_code = serializers.CharField()
    started_at = Time()
    completed_at = Time(allow_null=True)


class AttemptDetailShape(AttemptShape):
    inputs = serializers.JSONField(help_text="As they were resolved")
    provenance = serializers.JSONField(help_text="Where each input came from")
    result = serializers.JSONField()
    log = serializers.CharField()
    traceback = serializers.CharField()


class EventShape(Shape):
    run = serializers.IntegerField()
    seq = Count()
    kind = serializers.CharField()
    task = serializers.UUIDField(allow_null=True)
    attempt = Count(allow_null=True)
    at = Time()
    data = serializers.JSONField()  # type: ignore[assignment]


class EventsShape(Shape):
    items = EventShape(many=True)
    next = serializers.CharField(allow_null=True, help_text="Where the following ones are, if there are more now")
    ended = serializers.BooleanField(help_text="The run has ended and these were its last events")


class ExecutorShape(Shape):
    id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    aliases = serializers.ListField(child=serializers.CharField())
    input_schema = serializers.JSONField()
    output_schema = serializers.JSONField()
    params_schema = serializers.JSONField()
    cancelable = serializers.BooleanField()
    merges_results = serializers.BooleanField()
    isolated = serializers.BooleanField()


class WorkerShape(Shape):
    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=WORKER_KIND_CHOICES, help_text="Decides what starts, or only runs it")
    queues = serializers.ListField(child=serializers.CharField(), help_text="That a worker serves; none = all")
    host = serializers.CharField()
    pid = serializers.IntegerField()
    process_slots = Count()
    async_slots = Count()
    running = Count(help_text="Attempts at work")
    alive = serializers.BooleanField()
    started_at = Time()
    heartbeat_at = Time()
    stopped_at = Time(allow_null=True)


class ShareShape(Shape):
    id = serializers.IntegerField()
    username = serializers.CharField(source="user.username")
    right = serializers.ChoiceField(choices=RIGHTS)


class TriggerShape(Shape):
    id = serializers.IntegerField()
    tree = serializers.IntegerField(source="tree_id")
    public_id = serializers.CharField(help_text="In its address; no secret")
    name = serializers.CharField()
    proof = serializers.ChoiceField(choices=PROOFS)
    body = serializers.ChoiceField(choices=USES)
    inputs = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    per_minute = Count()
    enabled = serializers.BooleanField()
    expires_at = Time(allow_null=True)
    last_used_at = Time(allow_null=True)
    use_count = Count(help_text="Runs that it has started")
    created_at = Time()


class NewTriggerShape(TriggerShape):
    url = serializers.CharField(help_text="Where to POST; with proof url it is the secret, shown this once")
    secret = serializers.CharField(help_text="The key to sign requests with, shown this once; else empty")


class TokenShape(Shape):
    id = serializers.IntegerField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="How the secret begins")
    scope = serializers.ChoiceField(choices=list(SCOPES))
    use_shell = serializers.BooleanField(help_text="May write and run commands, if its user may")
    created_at = Time()
    expires_at = Time(allow_null=True)
    last_used_at = Time(allow_null=True, help_text="Exact to a minute")
    revoked_at = Time(allow_null=True)


class NewTokenShape(TokenShape):
    secret = serializers.CharField(help_text="Shown this once")


class AuditShape(Shape):
    seq = Count(source="pk")
    at = Time()
    actor = serializers.CharField()
    action = serializers.CharField()
    target = serializers.CharField()
    details = serializers.SerializerMethodField()
    ip = serializers.CharField()
    hash = serializers.CharField()

    def get_details(self, entry: Any) -> dict[str, Any]:
        details: dict[str, Any] = json.loads(entry.details)
        return details


class MeShape(Shape):
    id = serializers.IntegerField()
    username = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())
    is_staff = serializers.BooleanField()
    may_create = serializers.BooleanField()
    may_run = serializers.BooleanField()
    scope = serializers.ChoiceField(choices=list(SCOPES), allow_null=True, help_text="Of the token; null: a session")
    time_zone = serializers.CharField(help_text="Of the pages; empty: that of the server")
