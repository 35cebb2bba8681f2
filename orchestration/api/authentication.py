"""Who asks: a session with its CSRF token, or a bearer token with its scope."""

from __future__ import annotations

from typing import Any

from django.middleware.csrf import CsrfViewMiddleware
from django.views import View
from rest_framework.authentication import BaseAuthentication
from rest_framework.authentication import SessionAuthentication as DrfSessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from orchestration.domain.errors import Forbidden
from orchestration.models import ApiToken
from orchestration.models.token import ADMIN, READ, SCOPES
from orchestration.services.tokens import InvalidToken, token_user

SCHEME = "bearer"
CHALLENGE = 'Bearer realm="apflow"'
SAFE = ("GET", "HEAD", "OPTIONS")


class CsrfRefused(Forbidden):
    """CSRF token missing or wrong: send the cookie's value as X-CSRFToken"""

    code = "csrf"


class TokenScope(Forbidden):
    """The token is not for that."""

    code = "token_scope"


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer apf_...`; nothing is taken from the address."""

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        words = request.META.get("HTTP_AUTHORIZATION", "").split()
        if not words or words[0].lower() != SCHEME:
            return None
        try:
            return token_user(words[1] if len(words) == 2 else "")
        except InvalidToken as error:
            raise AuthenticationFailed(error.message, code=error.code) from None

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, request: Any, reason: str) -> Any:
        return reason


def _unreached(request: Any) -> Any:
    raise AssertionError("only the check is used, not the middleware")


class SessionAuthentication(DrfSessionAuthentication):
    """The dashboard's session. Every writing request needs the CSRF token."""

    def enforce_csrf(self, request: Any) -> None:
        check = _CsrfCheck(_unreached)
        check.process_request(request)
        reason = check.process_view(request, _unreached, (), {})
        if reason:
            raise CsrfRefused


class InScope(BasePermission):
    """Signed in, and the token (if there is one) may do what the view's method does."""

    def has_permission(self, request: Request, view: View) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        require_scope(request, needed_scope(view, str(request.method)))
        return True


def require_scope(request: Request, needed: str) -> None:
    """Raises TokenScope if a token asks whose scope is less than *needed*."""
    token = request.auth
    if isinstance(token, ApiToken) and SCOPES.index(token.scope) < SCOPES.index(needed):
        raise TokenScope(f"token may only {token.scope}: this needs a token with scope '{needed}'")


def needed_scope(view: Any, method: str) -> str:
    """The least scope for *method* of *view*: reading is free, the rest needs admin unless the view says less."""
    if method in SAFE:
        return READ
    scopes: dict[str, str] = getattr(view, "scopes", {})
    return scopes.get(method, ADMIN)
