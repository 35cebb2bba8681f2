"""Secrets of oneself: set, replaced and deleted. Nothing reads a value back. Tokens may look at the names only."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.authentication import TokenScope
from orchestration.api.base import ApiView, Done
from orchestration.api.bodies import SecretBody
from orchestration.api.schema import described
from orchestration.api.secret_shapes import SecretShape
from orchestration.models import ApiToken
from orchestration.selectors import api_rows
from orchestration.selectors.secrets import secret_named
from orchestration.services import throttle
from orchestration.services.secrets import require_secrets, secret_delete, secret_set


class SecretList(ApiView):
    @described("secret_list", "The names of your secrets", SecretShape, listing=api_rows.SECRETS)
    def get(self, request: Request) -> Response:
        return self.listed(api_rows.secrets(request.user), api_rows.SECRETS, SecretShape)


class SecretDetail(ApiView):
    @described("secret_get", "One of your secrets, without its value", SecretShape, selectable=True)
    def get(self, request: Request, name: str) -> Response:
        return self.shown(SecretShape, secret_named(request.user, name))

    @described(
        "secret_set", "Set a secret, or give it another value. Not by token", SecretShape, body=SecretBody,
        example={"value": "correct horse battery staple"},
    )  # fmt: skip
    def put(self, request: Request, name: str) -> Response:
        self._only_people()
        value, address = self.body(SecretBody)["value"], throttle.client_address(request)

        def do() -> Done:
            secret, _ = secret_set(user=self.user, name=name, value=value, ip=address)
            return Done(SecretShape(secret).data, f"secret:{secret.pk}")

        response = self.commit("api.secret.set", do)
        response["Cache-Control"] = "no-store"
        return response

    @described("secret_delete", "Delete a secret. Not by token", None, status=204, writes=True)
    def delete(self, request: Request, name: str) -> Response:
        self._only_people()
        address = throttle.client_address(request)

        def do() -> Done:
            secret_delete(user=self.user, name=name, ip=address)
            return Done(None)

        return self.commit("api.secret.delete", do, status=204)

    def _only_people(self) -> None:
        """Raises TokenScope: tasks would trust what a stolen token has put in place. Raises Forbidden (role)."""
        if isinstance(self.request.auth, ApiToken):
            raise TokenScope("tokens may not change secrets: sign in to do that")
        require_secrets(self.user)
