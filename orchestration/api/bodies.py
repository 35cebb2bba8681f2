"""What requests may hold: explicit, strict, nothing else."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from orchestration.api.parsing import Body, Choice, Flag, Id, Object, Text, Whole
from orchestration.domain.states import Mode
from orchestration.models import TreeShare
from orchestration.models.token import READ, SCOPES
from orchestration.models.trigger import PROOFS, USES

MODES = [str(m) for m in Mode]
BULK_MODES = [str(Mode.ALL), str(Mode.FAILED)]
MAX_IDS = 200
MAX_CHOSEN = 10_000
ACTIONS = ("run", "cancel", "delete", "archive")


class NewDependencyBody(Body):
    """For the description only."""

    id = Text(required=False, help_text="Id of a task of the list")
    name = Text(required=False, help_text="Or its name")
    required = Flag(required=False)  # type: ignore[assignment]
    map = Object(required=False, help_text="Input field -> path in the result")


class NewTaskBody(Body):
    """For the description only: the builder of arrays reads tasks, and knows more forms."""

    name = Text(min_length=1, max_length=255)
    id = Text(required=False, min_length=1, max_length=255)
    parent_id = Text(required=False, min_length=1, help_text="Id or name of another task; one task has none: the root")
    executor = Text(required=False, help_text="Id of an executor; without one it is a group")
    priority = Whole(required=False, min_value=0, max_value=3)
    inputs = Object(required=False)
    params = Object(required=False)
    schemas = Object(required=False)
    timeout_s = serializers.FloatField(required=False, allow_null=True)
    max_attempts = Whole(required=False, min_value=1, max_value=100)
    backoff = Object(required=False)
    dependencies = NewDependencyBody(many=True, required=False)


class TreeBody(Body):
    """For the description only: the builder of arrays reads trees."""

    tasks = serializers.ListField(child=NewTaskBody(), min_length=1, help_text="Parents and dependencies in any order")
    labels = serializers.ListField(child=Text(), required=False)


class TreeChangeBody(Body):
    name = Text(required=False)
    labels = serializers.ListField(child=Text(), required=False)
    version = Whole(required=False, help_text="Instead of If-Match")


class TaskChangeBody(Body):
    """For the description only: the service checks each field."""

    name = Text(required=False)
    inputs = Object(required=False)
    params = Object(required=False)
    priority = Whole(required=False, min_value=0, max_value=3)
    timeout_s = serializers.FloatField(required=False, allow_null=True)
    max_attempts = Whole(required=False, min_value=1, max_value=100)
    backoff = Object(required=False)
    version = Whole(required=False, help_text="Instead of If-Match")


class DependencyChangeBody(Body):
    required = Flag(required=False, help_text="false: it only has to end")  # type: ignore[assignment]
    map = Object(required=False, allow_null=True, help_text="Input field -> path in the result")
    version = Whole(required=False, min_value=1, max_value=2**31 - 1, help_text="Of the task; instead of If-Match")

    def get_fields(self) -> dict[str, Any]:
        """With `as`, which is no name in Python."""
        key = Text(required=False, allow_null=True, help_text="The input that takes the whole result")
        return {**super().get_fields(), "as": key}


class DependencyBody(DependencyChangeBody):
    depends_on = Id(help_text="Id of another task of the tree")


class ImportBody(Body):
    text = Text(help_text="A tree as JSON or YAML text")
    format = Choice(choices=["auto", "json", "yaml"], default="auto")
    labels = serializers.ListField(child=Text(), default=list)
    keep_ids = Flag(default=False, help_text="Keep ids that are UUIDs and free")
    preview = Flag(default=False)


class RunBody(Body):
    mode = Choice(choices=MODES, default=str(Mode.ALL))
    chosen = serializers.ListField(child=Id(), default=list, max_length=MAX_CHOSEN, help_text="For from and only")
    overrides = Object(default=dict, help_text="Task id -> {inputs, priority, timeout_s} for this run alone")


class RetryBody(RunBody):
    mode = Choice(choices=MODES, default=str(Mode.FAILED))


class CancelBody(Body):
    reason = Text(default="")


class TaskCancelBody(CancelBody):
    subtree = Flag(default=False, help_text="Everything under it too")


class PriorityBody(Body):
    priority = Whole(min_value=0, max_value=3, help_text="0 urgent, 1 high, 2 normal, 3 low")


class LimitBody(Body):
    max_parallel = Whole(min_value=0, max_value=10_000, help_text="0 = as many as there are slots")


class LinkBody(Body):
    recursive = Flag(default=True)
    preview = Flag(default=False)


class ArchiveBody(LinkBody):
    finished = Flag(default=False, help_text="Failed, cancelled and blocked tasks are fine too")


class CopyBody(LinkBody):
    include_upstream = Flag(default=True)
    include_dependents = Flag(default=False)
    overrides = Object(default=dict, help_text="Task id -> fields that the copy has instead")


class MixedBody(CopyBody):
    link_ids = serializers.ListField(child=Text(), help_text="Completed tasks that become links")


class NoBody(Body):
    """A request that needs no fields."""


class ChosenBody(Body):
    """The base of what is done to many: they are named by `ids` or by `filter`, fields of the bodies below."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError({"ids": "give either ids or a filter"}, code="required")
        return attrs


class BulkBody(ChosenBody):
    action = Choice(choices=list(ACTIONS))
    ids = serializers.ListField(child=Whole(), required=False, max_length=MAX_IDS)
    filter = Object(required=False, help_text="Instead of ids: filters of the list of trees, as texts")
    preview = Flag(default=False)
    reason = Text(default="", help_text="For cancel")
    mode = Choice(choices=BULK_MODES, default=str(Mode.ALL), help_text="For run")


class RightBody(Body):
    right = Choice(choices=[right for right, _ in TreeShare.RIGHTS], help_text="run includes view")


class ShareBody(RightBody):
    username = Text(allow_blank=False, max_length=150, help_text="What they sign in with")


class TriggerChangeBody(Body):
    name = Text(required=False, allow_blank=False, max_length=100)
    body = Choice(choices=USES, required=False, help_text="What becomes of the body of a request")
    inputs = Object(required=False, help_text="Task id -> names of its inputs that a body sets")
    per_minute = Whole(required=False, min_value=1, max_value=600, help_text="Requests in a minute")
    enabled = Flag(required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class TriggerBody(TriggerChangeBody):
    name = Text(allow_blank=False, max_length=100)
    proof = Choice(choices=PROOFS, required=False, help_text="A secret address (url), or signed requests")


class SecretBody(Body):
    value = Text(help_text="4 to 16,384 characters; nobody can read it again", allow_blank=True)


class TokenBody(Body):
    name = Text()
    scope = Choice(choices=list(SCOPES), default=READ)
    use_shell = Flag(required=False, help_text="May write and run commands, if its user may; no unless told")
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
