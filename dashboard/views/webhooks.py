"""Webhooks: one's own, those of a tree, one with its log, one delivery; and what can be done with them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.contexts.webhooks import STATES, choices, delivery_view, log_view, webhook_line, webhook_state
from dashboard.forms import number_of
from dashboard.htmx import go
from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.webhooks import DEFAULT_TOPICS
from orchestration.models import Tree, Webhook
from orchestration.selectors import webhooks as selectors
from orchestration.selectors.access import tree_for_write
from orchestration.services import webhooks as services


@never_cache
@require_http_methods(["GET", "POST"])
def webhooks(request: HttpRequest) -> HttpResponse:
    """One's own webhooks; POST makes one for all trees, and its answer alone shows the secret."""
    return _listed(request, None)


@never_cache
@require_http_methods(["GET", "POST"])
def tree_webhooks(request: HttpRequest, tree_id: int) -> HttpResponse:
    """The webhooks that are told of a tree, for its owner; POST makes one for this tree alone."""
    return _listed(request, tree_for_write(request.user, tree_id))


@never_cache
@require_http_methods(["GET", "POST"])
def webhook(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """A webhook with its log; POST changes name, address and events."""
    found, problems = selectors.webhook_for_read(request.user, webhook_id), []
    if request.method == "POST":
        try:
            services.webhook_update(
                user=request.user,
                webhook_id=webhook_id,
                changes=_fields(request.POST),
                version=number_of(request.POST.get("version")),
            )
        except Invalid as error:
            problems = error.problems
        else:
            return go(request, found.get_absolute_url(), _("The webhook is changed."))
    return _shown(request, found, problems=problems)


@never_cache
@require_POST
def webhook_rotate(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """A new secret, shown by this answer alone."""
    found, secret = services.webhook_rotate(user=request.user, webhook_id=webhook_id)
    return _shown(request, selectors.webhook_for_read(request.user, found.pk), secret=secret)


@require_POST
def webhook_switch(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """On or off."""
    active = request.POST.get("active") == "1"
    found = services.webhook_update(user=request.user, webhook_id=webhook_id, changes={"active": active})
    return go(request, found.get_absolute_url(), _("It is on.") if active else _("It is off."))


@require_POST
def webhook_test(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """Send a test."""
    delivery = services.webhook_test(user=request.user, webhook_id=webhook_id)
    url = reverse("webhook", args=[delivery.webhook_id])
    return go(request, url, _("The test is on its way: its answer is in the log in a moment."))


@require_POST
def webhook_delete(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """Delete it with its log."""
    found = services.webhook_delete(user=request.user, webhook_id=webhook_id)
    url = reverse("tree_webhooks", args=[found.tree_id]) if found.tree_id else reverse("webhooks")
    return go(request, url, _("The webhook is deleted."))


@require_GET
def webhook_delivery(request: HttpRequest, webhook_id: int, delivery_id: int) -> HttpResponse:
    """One delivery: what was sent, and what came back."""
    delivery = selectors.delivery_for_read(request.user, webhook_id, delivery_id)
    context = {
        "webhook": delivery.webhook,
        "view": delivery_view(delivery, delivery.webhook),
        "may": selectors.may_have_webhooks(request.user),
    }
    return render(request, "dashboard/webhook_delivery.html", context)


@require_POST
def webhook_redeliver(request: HttpRequest, webhook_id: int, delivery_id: int) -> HttpResponse:
    """Send a delivery again."""
    services.delivery_redeliver(user=request.user, webhook_id=webhook_id, delivery_id=delivery_id)
    return go(request, reverse("webhook", args=[webhook_id]), _("It is sent again, under the same id."))


def _listed(request: HttpRequest, tree: Tree | None) -> HttpResponse:
    secret, made, problems = "", None, list[Problem]()
    if request.method == "POST":
        try:
            made, secret = services.webhook_create(
                user=request.user, tree_id=None if tree is None else tree.pk, **_fields(request.POST)
            )
        except Invalid as error:
            problems = error.problems
    posted = request.POST if problems else QueryDict()
    rows = selectors.webhooks_of(request.user) if tree is None else selectors.webhooks_of_tree(tree)
    context = {
        "tree": tree,
        "lines": [webhook_line(row) for row in rows],
        "secret": secret,
        "made": made,
        "problems": problems,
        "posted": posted,
        "choices": choices(posted.getlist("events") if problems else DEFAULT_TOPICS),
        "may": selectors.may_have_webhooks(request.user),
    }
    return render(request, "dashboard/webhooks.html", context, status=400 if problems else 200)


def _shown(
    request: HttpRequest, found: Webhook, *, secret: str = "", problems: list[Problem] | None = None
) -> HttpResponse:
    state = request.GET.get("state", "")
    state = state if state in STATES else ""
    before = number_of(request.GET.get("before"))
    rows = selectors.deliveries_page(found, state=state, before=before)
    posted = request.POST if problems else QueryDict()
    context = {
        "webhook": found,
        "state": webhook_state(found),
        "log": log_view(found, rows, state=state, first=before is None),
        "secret": secret,
        "problems": problems or [],
        "name": posted.get("name", found.name),
        "url": posted.get("url", found.url),
        "choices": choices(posted.getlist("events") if problems else found.events),
        "may": selectors.may_have_webhooks(request.user),
    }
    return render(request, "dashboard/webhook.html", context, status=400 if problems else 200)


def _fields(posted: QueryDict) -> dict[str, Any]:
    return {
        "name": posted.get("name", "").strip(),
        "url": posted.get("url", "").strip(),
        "events": posted.getlist("events"),
    }
