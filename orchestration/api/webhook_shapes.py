"""What requests about webhooks may hold, and what they are answered with: never a seed, a secret only once."""

from __future__ import annotations

import json
from typing import Any

from rest_framework import serializers

from orchestration.api.parsing import Body, Choice, Flag, Text, Whole
from orchestration.api.shapes import Count, Shape, Time
from orchestration.domain.webhooks import TOPICS, DeliveryState, Topic

DELIVERY_STATES = [str(state) for state in DeliveryState]
EVENTS = [str(topic) for topic in TOPICS]


class WebhookBody(Body):
    url = Text(help_text="http or https; no private addresses unless the administrator allows them")
    events = serializers.ListField(child=Choice(choices=EVENTS), max_length=len(EVENTS))
    name = Text(default="")
    tree = Whole(required=False, allow_null=True, help_text="Only of this tree; else of all trees that you own")


class WebhookChangeBody(Body):
    url = Text(required=False)
    events = serializers.ListField(child=Choice(choices=EVENTS), required=False, max_length=len(EVENTS))
    name = Text(required=False)
    active = Flag(required=False)
    version = Whole(required=False, help_text="Instead of If-Match")


class WebhookShape(Shape):
    id = serializers.IntegerField()
    owner = serializers.CharField(source="owner.username")
    tree = serializers.IntegerField(source="tree_id", allow_null=True, help_text="null: all trees of the owner")
    name = serializers.CharField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.ChoiceField(choices=EVENTS))
    active = serializers.BooleanField()
    prefix = serializers.CharField(help_text="How the secret begins")
    old_until = Time(allow_null=True, help_text="So long the secret before signs too")
    failures = Count(help_text="Deliveries given up in a row")
    disabled_at = Time(allow_null=True, help_text="When it was switched off by itself")
    disabled_reason = serializers.CharField()
    version = Count()
    created_at = Time()
    updated_at = Time()


class NewWebhookShape(WebhookShape):
    secret = serializers.CharField(help_text="Shown this once")


class DeliveryShape(Shape):
    id = serializers.IntegerField()
    uid = serializers.UUIDField(help_text="X-Apflow-Delivery: the same at each try")
    webhook = serializers.IntegerField(source="webhook_id")
    event = serializers.ChoiceField(choices=[str(topic) for topic in Topic], source="topic")
    tree = serializers.IntegerField(source="tree_id", allow_null=True)
    run = serializers.IntegerField(source="run_id", allow_null=True)
    task = serializers.UUIDField(source="task_id", allow_null=True)
    state = serializers.ChoiceField(choices=DELIVERY_STATES)
    attempts = Count()
    next_at = Time(allow_null=True, help_text="Not before")
    last_at = Time(allow_null=True, help_text="The newest try")
    response_code = Count(allow_null=True)
    duration_ms = Count(allow_null=True)
    error = serializers.CharField()
    created_at = Time()


class DeliveryDetailShape(DeliveryShape):
    body = serializers.SerializerMethodField(help_text="As it is sent")
    response_excerpt = serializers.CharField(help_text="How the answer begins")

    def get_body(self, delivery: Any) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(delivery.body)
        return body
