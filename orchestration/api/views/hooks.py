"""Where other systems start runs: POST to the address of a trigger. No session, no cookie, no CSRF token."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.base import ApiView, only_known
from orchestration.api.errors import answer
from orchestration.domain.errors import AlreadyRunning, Conflict, Invalid, Problem
from orchestration.domain.webhooks import SIGNATURE
from orchestration.services import idempotency
from orchestration.services.trigger_start import SKIPPED, STARTED, Fired, Proven, Shown, count_use, proven, trigger_fire

RUNNING = "a run of this tree is active already: try again later, or send ?if_running=skip"
REASONS = {
    "archived": "the tree is archived and cannot be run",
    "replayed": "this signed request was carried out already: sign each request anew",
    "idempotency_conflict": "this key was used with another body: take a new key",
}  # other reasons speak of what is in the tree


class Hook(ApiView):
    """One address, whether there is something or not."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    http_method_names = ("post",)
    schema = None

    def perform_content_negotiation(self, request: Request, force: bool = True) -> Any:
        return super().perform_content_negotiation(request, force=True)

    def post(self, request: Request, public_id: str = "", secret: str = "") -> Response:
        shown = Shown(public_id, secret, request.headers.get(SIGNATURE, ""), request._request.body)
        found = proven(shown)
        fired = None if found is None else self._fire(found, shown)
        response = answer(404, "not_found", "there is no such trigger") if fired is None else self._told(fired)
        response["Cache-Control"] = "no-store"
        return response

    def _fire(self, found: Proven, shown: Shown) -> Fired | None:
        count_use(found)
        key = self.request.headers.get("Idempotency-Key")
        if key is not None:
            idempotency.check_key(key)
        skip, body = self._skip(), self.request.data if shown.body else None
        digest = idempotency.fingerprint("POST", f"/hooks/{shown.public_id}/", shown.body)
        try:
            return trigger_fire(found, body=body, key=key, fingerprint=digest, skip=skip)
        except AlreadyRunning:
            raise Conflict(RUNNING, code="already_running") from None
        except Conflict as refused:
            message = REASONS.get(refused.code, "the tree cannot be run as it is: ask its owner to look at it")
            raise Conflict(message, code=refused.code) from None

    def _skip(self) -> bool:
        only_known(self.request, "if_running")
        wish = self.request.query_params.get("if_running")
        if wish not in (None, "skip"):
            raise Invalid([Problem("if_running", "use skip, or leave it out", "invalid_choice")])
        return wish == "skip"

    def _told(self, fired: Fired) -> Response:
        """The number of the run, and where those who may see it find it."""
        data = {
            "run": fired.run_id,
            "started": fired.started,
            "url": self.request.build_absolute_uri(reverse("run", args=[fired.run_id])),
        }
        headers = {"Idempotent-Replayed": "true"} if fired.replayed else {}
        return Response(data, status=STARTED if fired.started else SKIPPED, headers=headers)
