"""Tokens, sharing and the audit log."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.contexts.access import audit_filter_of, audit_view, token_line
from dashboard.forms import number_of
from dashboard.htmx import go
from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.rights import USE_SHELL
from orchestration.models import Tree, TreeShare
from orchestration.models.token import SCOPE_CHOICES
from orchestration.selectors import doors
from orchestration.selectors.access import tree_for_write
from orchestration.selectors.rights import rights_of
from orchestration.services import shares
from orchestration.services.throttle import client_address
from orchestration.services.tokens import MAX_DAYS, token_create, token_revoke

EXPIRIES = ((30, "in 30 days"), (90, "in 90 days"), (365, gettext_lazy("in a year")), (0, "never"))


@never_cache
@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """One's own API tokens; POST makes one, and its answer alone shows the secret."""
    secret, problems = "", []
    if request.method == "POST":
        try:
            secret = _token_made(request)
        except Invalid as error:
            problems = error.problems
    now = timezone.now()
    context = {
        "lines": [token_line(token, now) for token in doors.tokens_of(request.user)],
        "scopes": SCOPE_CHOICES,
        "may_shell": rights_of([request.user.pk])[request.user.pk].may(USE_SHELL),
        "expiries": EXPIRIES,
        "secret": secret,
        "problems": problems,
        "posted": request.POST if problems else {"scope": "read", "days": "90"},
    }
    return render(request, "dashboard/access_tokens.html", context, status=400 if problems else 200)


@require_POST
def token_end(request: HttpRequest, token_id: int) -> HttpResponse:
    """Revoke a token."""
    token = token_revoke(user=cast(User, request.user), token_id=token_id, ip=client_address(request))
    return go(request, reverse("tokens"), (gettext("The token “%(name)s” is revoked.") % {"name": token.name}))


@require_http_methods(["GET", "POST"])
def tree_share(request: HttpRequest, tree_id: int) -> HttpResponse:
    """With whom a tree is shared, for its owner; POST adds somebody or changes what they may."""
    tree, problems = tree_for_write(request.user, tree_id), []
    if request.method == "POST":
        try:
            share = shares.share_set(
                user=request.user,
                tree_id=tree_id,
                username=request.POST.get("username", ""),
                right=request.POST.get("right", ""),
                ip=client_address(request),
            )
        except Invalid as error:
            problems = error.problems
        else:
            return go(
                request,
                _share_url(tree),
                (
                    gettext("%(user)s may %(value)s this tree.")
                    % {"user": share.user, "value": share.get_right_display()}
                ),
            )
    context = {
        "tree": tree,
        "shares": doors.shares_of(tree),
        "rights": TreeShare.RIGHTS,
        "problems": problems,
        "posted": request.POST,
    }
    return render(request, "dashboard/access_share.html", context, status=400 if problems else 200)


@require_POST
def tree_unshare(request: HttpRequest, tree_id: int, share_id: int) -> HttpResponse:
    """Share a tree with somebody no longer."""
    name = shares.share_remove(user=request.user, tree_id=tree_id, share_id=share_id, ip=client_address(request))
    return go(
        request,
        reverse("tree_share", args=[tree_id]),
        (gettext("The tree is no longer shared with %(name)s.") % {"name": name}),
    )


@require_GET
def audit_log(request: HttpRequest) -> HttpResponse:
    """The audit log, newest first, for administrators and staff."""
    wanted = audit_filter_of(request.GET.dict())
    view = audit_view(doors.audit_page(request.user, wanted), wanted)
    return render(request, "dashboard/access_audit.html", {"view": view})


def _token_made(request: HttpRequest) -> str:
    posted = request.POST
    _, secret = token_create(
        user=cast(User, request.user),
        name=posted.get("name", "").strip(),
        scope=posted.get("scope", ""),
        expires_at=_expiry(posted.get("days", "")),
        use_shell=bool(posted.get("use_shell")),
        ip=client_address(request),
    )
    return secret


def _expiry(text: str) -> datetime | None:
    days = number_of(text)
    if days is None or not 0 <= days < MAX_DAYS:
        raise Invalid([Problem("days", "choose when the token expires", "invalid_choice")])
    return timezone.now() + timedelta(days=days) if days else None


def _share_url(tree: Tree) -> str:
    return reverse("tree_share", args=[tree.pk])
