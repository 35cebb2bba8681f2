"""Webhooks and what was delivered to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.base import ApiView, Done, if_match, require_match
from orchestration.api.bodies import NoBody
from orchestration.api.schema import IF_MATCH, described
from orchestration.api.webhook_shapes import (
    DeliveryDetailShape,
    DeliveryShape,
    NewWebhookShape,
    WebhookBody,
    WebhookChangeBody,
    WebhookShape,
)
from orchestration.models import Webhook, WebhookDelivery
from orchestration.selectors import webhooks as selectors
from orchestration.services import webhooks as services

EXAMPLE = {"url": "https://example.com/hook", "events": ["run.completed", "run.failed"], "name": "tickets"}


def webhook_done(webhook: Webhook) -> Done:
    """What a request about *webhook* answers."""
    return Done(WebhookShape(webhook).data, f"webhook:{webhook.pk}", {}, f"/api/v1/webhooks/{webhook.pk}/")


class WebhookView(ApiView):
    """What requests that show a secret have in common."""

    def commit_secret(self, action: str, do: Callable[[], tuple[Webhook, str]], *, status: int) -> Response:
        """The answer with the secret of *do*, which is in no remembered answer."""
        secrets: list[str] = []

        def made() -> Done:
            webhook, secret = do()
            secrets.append(secret)
            done = webhook_done(webhook)
            return Done({**done.data, "secret": ""}, done.target, {}, done.location)

        response = self.commit(action, made, status=status)
        if secrets:
            response.data["secret"] = secrets[0]
        response["Cache-Control"] = "no-store"
        return response


class WebhookList(WebhookView):
    @described("webhook_list", "Your webhooks, without their secrets", WebhookShape, listing=selectors.WEBHOOKS)
    def get(self, request: Request) -> Response:
        return self.listed(selectors.webhooks_for_read(request.user), selectors.WEBHOOKS, WebhookShape)

    @described(
        "webhook_create", "Make a webhook; its secret is shown this once", NewWebhookShape, status=201,
        body=WebhookBody, example=EXAMPLE,
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        selectors.require_webhooks(request.user)
        asked = self.body(WebhookBody)
        tree_id = asked.pop("tree", None)
        return self.commit_secret(
            "api.webhook.create",
            lambda: services.webhook_create(user=self.user, tree_id=tree_id, **asked),
            status=201,
        )


class WebhookDetail(WebhookView):
    @described("webhook_get", "One webhook", WebhookShape, selectable=True)
    def get(self, request: Request, webhook_id: int) -> Response:
        webhook = selectors.webhook_for_read(request.user, webhook_id)
        return self.shown(WebhookShape, webhook, etag=webhook.version)

    @described(
        "webhook_update", "Change a webhook, switch it on or off", WebhookShape, body=WebhookChangeBody,
        parameters=[IF_MATCH],
    )  # fmt: skip
    def patch(self, request: Request, webhook_id: int) -> Response:
        selectors.webhook_for_write(request.user, webhook_id)
        changes = self.body(WebhookChangeBody)
        expected = if_match(request)
        return self.commit("api.webhook.update", lambda: self._change(webhook_id, changes, expected))

    @described("webhook_delete", "Delete a webhook with its log", None, status=204, writes=True)
    def delete(self, request: Request, webhook_id: int) -> Response:
        selectors.webhook_for_write(request.user, webhook_id)

        def do() -> Done:
            services.webhook_delete(user=self.user, webhook_id=webhook_id)
            return Done(None, f"webhook:{webhook_id}")

        return self.commit("api.webhook.delete", do, status=204)

    def _change(self, webhook_id: int, changes: dict[str, Any], expected: int | None) -> Done:
        webhook = Webhook.objects.select_for_update().get(pk=webhook_id)
        require_match(expected, webhook.version, "webhook")
        wanted = {name: value for name, value in changes.items() if name != "version"}
        services.webhook_update(user=self.user, webhook_id=webhook_id, changes=wanted, version=changes.get("version"))
        return webhook_done(selectors.webhook_for_read(self.user, webhook_id))


class WebhookRotate(WebhookView):
    @described("webhook_rotate", "A new secret; the old one signs too for a day", NewWebhookShape, writes=True)
    def post(self, request: Request, webhook_id: int) -> Response:
        selectors.webhook_for_write(request.user, webhook_id)
        self.body(NoBody)
        return self.commit_secret(
            "api.webhook.rotate",
            lambda: services.webhook_rotate(user=self.user, webhook_id=webhook_id),
            status=200,
        )


class WebhookTest(WebhookView):
    @described("webhook_test", "Send a ping now", DeliveryShape, status=202, writes=True)
    def post(self, request: Request, webhook_id: int) -> Response:
        selectors.webhook_for_write(request.user, webhook_id)
        self.body(NoBody)

        def do() -> Done:
            delivery = services.webhook_test(user=self.user, webhook_id=webhook_id)
            return delivery_done(delivery)

        return self.commit("api.webhook.test", do, status=202)


class DeliveryList(WebhookView):
    @described("delivery_list", "What was sent to a webhook", DeliveryShape, listing=selectors.DELIVERIES)
    def get(self, request: Request, webhook_id: int) -> Response:
        webhook = selectors.webhook_for_read(request.user, webhook_id)
        rows = selectors.deliveries_for_read(request.user).filter(webhook=webhook).defer("body", "response_excerpt")
        return self.listed(rows, selectors.DELIVERIES, DeliveryShape)


class DeliveryDetail(WebhookView):
    @described("delivery_get", "One delivery with its body and answer", DeliveryDetailShape, selectable=True)
    def get(self, request: Request, webhook_id: int, delivery_id: int) -> Response:
        return self.shown(DeliveryDetailShape, selectors.delivery_for_read(request.user, webhook_id, delivery_id))


class DeliveryRedeliver(WebhookView):
    @described("delivery_redeliver", "Send it again under the same id", DeliveryShape, status=202, writes=True)
    def post(self, request: Request, webhook_id: int, delivery_id: int) -> Response:
        selectors.webhook_for_write(request.user, webhook_id)
        selectors.delivery_for_read(request.user, webhook_id, delivery_id)
        self.body(NoBody)

        def do() -> Done:
            delivery = services.delivery_redeliver(user=self.user, webhook_id=webhook_id, delivery_id=delivery_id)
            return delivery_done(delivery)

        return self.commit("api.webhook.redeliver", do, status=202)


def delivery_done(delivery: WebhookDelivery) -> Done:
    """What a request about *delivery* answers."""
    path = f"/api/v1/webhooks/{delivery.webhook_id}/deliveries/{delivery.pk}/"
    return Done(DeliveryShape(delivery).data, f"webhook:{delivery.webhook_id}", {"delivery": str(delivery.uid)}, path)
