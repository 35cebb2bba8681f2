"""What requests about operations on many rows, saved filters and oneself may hold, and what they are answered with."""

from __future__ import annotations

from rest_framework import serializers

from orchestration.api.bodies import MAX_CHOSEN, ChosenBody
from orchestration.api.parsing import Body, Choice, Flag, Object, Text, Whole
from orchestration.api.shapes import Count, Shape, Time
from orchestration.domain.operations import Bulk, Kind, OperationState
from orchestration.services.saved import MAX_NAME, MAX_QUERY

KINDS = [str(kind) for kind in Kind]
DEEDS = [str(action) for action in Bulk]
STATES = [str(state) for state in OperationState]


class OperationBody(ChosenBody):
    kind = Choice(choices=KINDS)
    action = Choice(choices=DEEDS, help_text="Of runs only rerun and cancel")
    ids = serializers.ListField(child=Whole(), required=False, max_length=MAX_CHOSEN)
    filter = Object(required=False, help_text="Instead of ids: filters of that list, as texts; {} is all of it")
    reason = Text(default="", help_text="For cancel")
    argument = Text(default="", help_text="For label: the label to put on")
    preview = Flag(default=False)


class FailureShape(Shape):
    id = serializers.IntegerField()
    name = serializers.CharField()
    message = serializers.CharField()


class OperationShape(Shape):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=KINDS)
    action = serializers.ChoiceField(choices=DEEDS)
    state = serializers.ChoiceField(choices=STATES)
    actor = serializers.CharField(source="actor.username", default=None, allow_null=True)
    reason = serializers.CharField()
    argument = serializers.CharField()
    total = Count(help_text="What it is done to")
    refused = Count(help_text="Chosen, but left out from the beginning")
    done = Count(help_text="Worked on, whether it went well or not")
    failed = Count()
    created_at = Time()
    ended_at = Time(allow_null=True)


class OperationDetailShape(OperationShape):
    failures = FailureShape(many=True, help_text="The first 200")


class RefusedShape(Shape):
    reason = serializers.CharField()
    count = Count()
    examples = serializers.ListField(child=serializers.CharField(), help_text="Names of the first ones")


class OperationPreviewShape(Shape):
    preview = serializers.BooleanField(help_text="true: nothing was stored")
    total = Count(help_text="What it would be done to")
    examples = serializers.ListField(child=serializers.CharField(), help_text="Names of the first ones")
    refused = RefusedShape(many=True, help_text="What would be left out, and why")


class FilterBody(Body):
    page = Choice(choices=KINDS, help_text="The list that it is for")
    name = Text(allow_blank=False, max_length=MAX_NAME)
    query = Text(max_length=MAX_QUERY, help_text="As in the address of the page, such as state=failed&q=nightly")
    is_default = Flag(default=False, help_text="The list opens with it")


class FilterShape(Shape):
    id = serializers.IntegerField()
    page = serializers.ChoiceField(choices=KINDS)
    name = serializers.CharField()
    query = serializers.CharField()
    is_default = serializers.BooleanField()


class MeBody(Body):
    time_zone = Text(max_length=60, help_text="Such as Europe/Berlin; empty: that of the server")
