"""Triggers of a tree; for its owner. Their addresses are answered by `hooks`."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.base import ApiView, Done
from orchestration.api.bodies import TriggerBody, TriggerChangeBody
from orchestration.api.schema import described
from orchestration.api.shapes import NewTriggerShape, TriggerShape
from orchestration.domain.triggers import Proof
from orchestration.models import Trigger
from orchestration.selectors import access, api_rows
from orchestration.selectors.triggers import trigger_of
from orchestration.services import throttle
from orchestration.services.triggers import (
    address_of,
    secret_of,
    trigger_change,
    trigger_create,
    trigger_delete,
    trigger_rotate,
)


def trigger_done(trigger: Trigger, **extra: Any) -> Done:
    """What a request about *trigger* answers."""
    address = f"/api/v1/trees/{trigger.tree_id}/triggers/{trigger.pk}/"
    details = {"trigger": trigger.pk, "name": trigger.name}
    return Done({**TriggerShape(trigger).data, **extra}, f"tree:{trigger.tree_id}", details, address)


def with_secret(request: Request, response: Response, made: list[Trigger]) -> Response:
    """The answer with what the remembered one must not hold."""
    for trigger in made:
        response.data["url"] = request.build_absolute_uri(address_of(trigger, secret=True))
        response.data["secret"] = secret_of(trigger) if trigger.proof == Proof.SIGNATURE else ""
    response["Cache-Control"] = "no-store"
    return response


class TreeTriggers(ApiView):
    @described("tree_trigger_list", "The triggers of a tree", TriggerShape, listing=api_rows.TRIGGERS)
    def get(self, request: Request, tree_id: int) -> Response:
        tree = access.tree_for_write(request.user, tree_id)
        return self.listed(api_rows.triggers(tree), api_rows.TRIGGERS, TriggerShape)

    @described(
        "tree_trigger_create", "Make a trigger; its secret is shown this once", NewTriggerShape, status=201,
        body=TriggerBody, example={"name": "nightly-build"},
    )  # fmt: skip
    def post(self, request: Request, tree_id: int) -> Response:
        access.tree_for_write(request.user, tree_id)
        asked, address = self.body(TriggerBody), throttle.client_address(request)
        made: list[Trigger] = []

        def do() -> Done:
            made.append(trigger_create(user=self.user, tree_id=tree_id, fields=asked, ip=address))
            return trigger_done(made[0], url="", secret="")  # nosec B106

        return with_secret(request, self.commit("api.trigger.create", do, status=201), made)


class TreeTrigger(ApiView):
    @described("tree_trigger_get", "One trigger", TriggerShape, selectable=True)
    def get(self, request: Request, tree_id: int, trigger_id: int) -> Response:
        tree = access.tree_for_write(request.user, tree_id)
        return self.shown(TriggerShape, trigger_of(tree, trigger_id))

    @described("tree_trigger_update", "Change, enable or disable a trigger", TriggerShape, body=TriggerChangeBody)
    def patch(self, request: Request, tree_id: int, trigger_id: int) -> Response:
        access.tree_for_write(request.user, tree_id)
        asked, address = self.body(TriggerChangeBody), throttle.client_address(request)
        return self.commit(
            "api.trigger.update",
            lambda: trigger_done(
                trigger_change(user=self.user, tree_id=tree_id, trigger_id=trigger_id, changes=asked, ip=address)
            ),
        )

    @described("tree_trigger_delete", "Delete a trigger", None, status=204, writes=True)
    def delete(self, request: Request, tree_id: int, trigger_id: int) -> Response:
        address = throttle.client_address(request)

        def do() -> Done:
            name = trigger_delete(user=self.user, tree_id=tree_id, trigger_id=trigger_id, ip=address)
            return Done(None, f"tree:{tree_id}", {"trigger": trigger_id, "name": name})

        return self.commit("api.trigger.delete", do, status=204)


class TreeTriggerRotate(ApiView):
    @described("tree_trigger_rotate", "Give a trigger a new secret, shown this once", NewTriggerShape, writes=True)
    def post(self, request: Request, tree_id: int, trigger_id: int) -> Response:
        address = throttle.client_address(request)
        made: list[Trigger] = []

        def do() -> Done:
            made.append(trigger_rotate(user=self.user, tree_id=tree_id, trigger_id=trigger_id, ip=address))
            return trigger_done(made[0], url="", secret="")  # nosec B106

        return with_secret(request, self.commit("api.trigger.rotate", do), made)
