"""API tokens of oneself, and the audit log for those who may read it."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.authentication import require_scope
from orchestration.api.base import ApiView, Done
from orchestration.api.bodies import TokenBody
from orchestration.api.schema import described
from orchestration.api.shapes import AuditShape, NewTokenShape, TokenShape
from orchestration.domain.errors import Forbidden
from orchestration.models.token import ADMIN
from orchestration.selectors import api_rows
from orchestration.services import throttle
from orchestration.services.tokens import token_create, token_revoke


class TokenList(ApiView):
    @described("token_list", "Your API tokens, without their secrets", TokenShape, listing=api_rows.TOKENS)
    def get(self, request: Request) -> Response:
        return self.listed(api_rows.tokens(request.user), api_rows.TOKENS, TokenShape)

    @described(
        "token_create", "Make a token; its secret is shown this once", NewTokenShape, status=201, body=TokenBody,
        example={"name": "nightly", "scope": "run"},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        asked = self.body(TokenBody)
        address = throttle.client_address(request)
        secrets: list[str] = []

        def do() -> Done:
            token, secret = token_create(user=self.user, ip=address, **asked)
            secrets.append(secret)
            # the remembered answer must not hold the secret
            data = {**TokenShape(token).data, "secret": ""}
            return Done(data, f"token:{token.pk}", {"scope": token.scope})

        response = self.commit("api.token.create", do, status=201)
        if secrets:
            response.data["secret"] = secrets[0]
        response["Cache-Control"] = "no-store"
        return response


class TokenDetail(ApiView):
    @described("token_revoke", "Revoke a token", TokenShape, writes=True)
    def delete(self, request: Request, token_id: int) -> Response:
        def do() -> Done:
            token = token_revoke(user=self.user, token_id=token_id, ip=throttle.client_address(request))
            return Done(TokenShape(token).data, f"token:{token.pk}")

        return self.commit("api.token.revoke", do)


class AuditList(ApiView):
    @described("audit_list", "The audit log; for administrators and staff", AuditShape, listing=api_rows.AUDIT)
    def get(self, request: Request) -> Response:
        user = self.user
        if not (user.is_staff or user.has_perm("auth.change_user")):
            raise Forbidden("only administrators and staff may read the audit log")
        require_scope(request, ADMIN)
        return self.listed(api_rows.audit_entries(), api_rows.AUDIT, AuditShape)
