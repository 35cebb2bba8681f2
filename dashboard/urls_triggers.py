"""Addresses of the pages about triggers."""

from __future__ import annotations

from django.urls import path

from dashboard.views import triggers

ONE = "trees/<int:tree_id>/triggers/<int:trigger_id>"

urlpatterns = [
    path("trees/<int:tree_id>/triggers", triggers.triggers, name="triggers"),
    path(ONE, triggers.trigger, name="trigger"),
    path(f"{ONE}/rotate", triggers.trigger_rotate, name="trigger_rotate"),
    path(f"{ONE}/switch", triggers.trigger_switch, name="trigger_switch"),
    path(f"{ONE}/delete", triggers.trigger_delete, name="trigger_delete"),
]
