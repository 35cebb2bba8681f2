"""API tokens: made, recognised and revoked. The database holds nothing that opens a door."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from orchestration.domain.errors import Invalid, NotFound, OrchestrationError, Problem
from orchestration.domain.json_gate import text_problem
from orchestration.models import ApiToken
from orchestration.models.token import SCOPES
from orchestration.services import audit

PREFIX = "apf_"
SHOWN = len(PREFIX) + 6  # characters kept to recognise a token by
MAX_NAME = 100
MAX_TOKENS = 100  # usable ones per user
MAX_DAYS = 3660
USE_STEP = timedelta(minutes=1)  # last_used_at is written at most this often


class InvalidToken(OrchestrationError):
    """token not valid: make a new one on the tokens page"""

    code = "invalid_token"
    status = 401


def token_create(
    *,
    user: User,
    name: str,
    scope: str = "read",
    expires_at: datetime | None = None,
    use_shell: bool = False,
    ip: str = "",
) -> tuple[ApiToken, str]:
    """The new token and its secret, which nobody can show again. *use_shell*: it may write and run commands, as far
    as its scope and its user may. Raises Invalid.

    Effects: a token row and an audit entry.
    """
    now = timezone.now()
    _check(name, scope, expires_at, now)
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        if ApiToken.objects.filter(user=user, revoked_at=None).count() >= MAX_TOKENS:
            raise Invalid([Problem("name", f"you have {MAX_TOKENS} tokens: revoke some first", "too_many")])
        token = ApiToken.objects.create(
            user=user,
            name=name,
            prefix=secret[:SHOWN],
            digest=_digest(secret),
            scope=scope,
            use_shell=use_shell,
            created_at=now,
            expires_at=expires_at,
        )
        details: dict[str, Any] = {"name": name, "scope": scope, "expires_at": expires_at and expires_at.isoformat()}
        details |= {"use_shell": True} if use_shell else {}
        audit.record(actor=user, action="token.create", target=f"token:{token.pk}", details=details, ip=ip)
    return token, secret


def token_revoke(*, user: User, token_id: int, ip: str = "") -> ApiToken:
    """The token of *user* (who may change users: of anybody), from now on useless. Twice is not an error.

    Raises NotFound.

    Effects: the token row, and an audit entry the first time.
    """
    with transaction.atomic():
        mine = ApiToken.objects.all() if user.has_perm("auth.change_user") else ApiToken.objects.filter(user=user)
        try:
            token = mine.select_for_update().filter(pk=token_id).first()
        except OverflowError:
            token = None
        if token is None:
            raise NotFound(f"no token {token_id}")
        if token.revoked_at is None:
            token.revoked_at = timezone.now()
            token.save(update_fields=["revoked_at"])
            audit.record(actor=user, action="token.revoke", target=f"token:{token.pk}", ip=ip)
    return token


def token_user(secret: str) -> tuple[User, ApiToken]:
    """Whom *secret* stands for. Raises InvalidToken, with the same words whatever the reason.

    Effects: last_used_at, at most once a minute.
    """
    digest = _digest(secret)
    token = ApiToken.objects.select_related("user").filter(digest=digest).first() if _looks_right(secret) else None
    now = timezone.now()
    if token is None or not _usable(token, now):
        raise InvalidToken
    if token.last_used_at is None or now - token.last_used_at >= USE_STEP:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    audit.by_token(token.pk, commands=token.use_shell)
    return token.user, token


def _usable(token: ApiToken, now: datetime) -> bool:
    fresh = token.expires_at is None or now < token.expires_at
    return fresh and token.revoked_at is None and token.user.is_active


def _looks_right(secret: str) -> bool:
    return secret.startswith(PREFIX) and len(secret) <= 100 and secret.isascii()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _check(name: Any, scope: Any, expires_at: datetime | None, now: datetime) -> None:
    problems = [text_problem(name, max_length=MAX_NAME, field="name")]
    if scope not in SCOPES:
        problems.append(Problem("scope", f"use one of {', '.join(SCOPES)}", "invalid_choice"))
    if expires_at is not None and not now < expires_at <= now + timedelta(days=MAX_DAYS):
        problems.append(Problem("expires_at", "must be in the future, at most ten years away", "out_of_range"))
    found = [problem for problem in problems if problem]
    if found:
        raise Invalid(found)
