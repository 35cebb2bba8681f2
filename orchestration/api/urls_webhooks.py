"""Addresses of the API for webhooks."""

from __future__ import annotations

from django.urls import path

from orchestration.api.views import webhooks

ALL = "api/v1/webhooks/"
ONE = f"{ALL}<int:webhook_id>/"
DELIVERY = f"{ONE}deliveries/<int:delivery_id>/"

urlpatterns = [
    path(ALL, webhooks.WebhookList.as_view(), name="api_webhooks"),
    path(ONE, webhooks.WebhookDetail.as_view(), name="api_webhook"),
    path(f"{ONE}rotate/", webhooks.WebhookRotate.as_view(), name="api_webhook_rotate"),
    path(f"{ONE}test/", webhooks.WebhookTest.as_view(), name="api_webhook_test"),
    path(f"{ONE}deliveries/", webhooks.DeliveryList.as_view(), name="api_webhook_deliveries"),
    path(DELIVERY, webhooks.DeliveryDetail.as_view(), name="api_webhook_delivery"),
    path(f"{DELIVERY}redeliver/", webhooks.DeliveryRedeliver.as_view(), name="api_webhook_redeliver"),
]
