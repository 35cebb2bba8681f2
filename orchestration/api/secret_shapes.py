"""What the API tells of secrets: never a value."""

from __future__ import annotations

from rest_framework import serializers

from orchestration.api.shapes import Shape, Time


class SecretShape(Shape):
    name = serializers.CharField(help_text='What tasks refer to it by: {"$secret": "name"}')
    created_at = Time()
    updated_at = Time(help_text="When its value was set")
