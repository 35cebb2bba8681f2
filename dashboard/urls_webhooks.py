"""Addresses of webhooks."""

from __future__ import annotations

from django.urls import path

from dashboard.views import webhooks

ONE = "me/webhooks/<int:webhook_id>"
DELIVERY = f"{ONE}/deliveries/<int:delivery_id>"

urlpatterns = [
    path("me/webhooks", webhooks.webhooks, name="webhooks"),
    path(ONE, webhooks.webhook, name="webhook"),
    path(f"{ONE}/rotate", webhooks.webhook_rotate, name="webhook_rotate"),
    path(f"{ONE}/switch", webhooks.webhook_switch, name="webhook_switch"),
    path(f"{ONE}/test", webhooks.webhook_test, name="webhook_test"),
    path(f"{ONE}/delete", webhooks.webhook_delete, name="webhook_delete"),
    path(DELIVERY, webhooks.webhook_delivery, name="webhook_delivery"),
    path(f"{DELIVERY}/again", webhooks.webhook_redeliver, name="webhook_redeliver"),
    path("trees/<int:tree_id>/webhooks", webhooks.tree_webhooks, name="tree_webhooks"),
]
