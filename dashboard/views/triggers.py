"""Triggers of a tree: addresses at which other systems start it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.contexts.triggers import TriggerForm, trigger_form, trigger_line, trigger_view
from dashboard.forms_triggers import posted_of, trigger_fields
from dashboard.htmx import go
from orchestration.domain.errors import Invalid
from orchestration.models import Tree, Trigger
from orchestration.selectors.access import tree_for_write
from orchestration.selectors.triggers import trigger_of, triggers_of
from orchestration.services import triggers as services
from orchestration.services.throttle import client_address


@never_cache
@require_http_methods(["GET", "POST"])
def triggers(request: HttpRequest, tree_id: int) -> HttpResponse:
    """The triggers of a tree, for its owner; POST makes one, and its answer alone shows the secret."""
    tree, form, problems = tree_for_write(request.user, tree_id), None, []
    if request.method == "POST":
        try:
            fields = trigger_fields(request.POST)
            made = services.trigger_create(
                user=request.user, tree_id=tree_id, fields=fields, ip=client_address(request)
            )
        except Invalid as error:
            problems, form = error.problems, trigger_form(tree, None, posted_of(request.POST))
        else:
            return _page(request, tree, made, secret=True)
    now = timezone.now()
    context = {
        "tree": tree,
        "lines": [trigger_line(each, now) for each in triggers_of(tree)],
        "form": form or trigger_form(tree, None),
        "problems": problems,
    }
    return render(request, "dashboard/triggers.html", context, status=400 if problems else 200)


@never_cache
@require_http_methods(["GET", "POST"])
def trigger(request: HttpRequest, tree_id: int, trigger_id: int) -> HttpResponse:
    """One trigger: how to use it, and its settings; POST changes these."""
    tree = tree_for_write(request.user, tree_id)
    found = trigger_of(tree, trigger_id)
    if request.method == "GET":
        return _page(request, tree, found)
    form = trigger_form(tree, found, posted_of(request.POST))
    try:
        changes = trigger_fields(request.POST, several=form.several)
        changed = services.trigger_change(
            user=request.user, tree_id=tree_id, trigger_id=trigger_id, changes=changes, ip=client_address(request)
        )
    except Invalid as error:
        return _page(request, tree, found, form=form, problems=error.problems)
    return go(request, changed.get_absolute_url(), _("The trigger is changed."))


@never_cache
@require_POST
def trigger_rotate(request: HttpRequest, tree_id: int, trigger_id: int) -> HttpResponse:
    """Another secret, shown by this answer alone."""
    changed = services.trigger_rotate(
        user=request.user, tree_id=tree_id, trigger_id=trigger_id, ip=client_address(request)
    )
    return _page(request, changed.tree, changed, secret=True)


@require_POST
def trigger_switch(request: HttpRequest, tree_id: int, trigger_id: int) -> HttpResponse:
    """Disable a trigger, or enable it again."""
    enabled = request.POST.get("enabled") == "1"
    changed = services.trigger_change(
        user=request.user, tree_id=tree_id, trigger_id=trigger_id, changes={"enabled": enabled},
        ip=client_address(request),
    )  # fmt: skip
    said = _("The trigger works again.") if enabled else _("The trigger is disabled: its address answers “not found”.")
    return go(request, changed.get_absolute_url(), said)


@require_POST
def trigger_delete(request: HttpRequest, tree_id: int, trigger_id: int) -> HttpResponse:
    """Delete a trigger."""
    name = services.trigger_delete(
        user=request.user, tree_id=tree_id, trigger_id=trigger_id, ip=client_address(request)
    )
    said = _("The trigger “%(name)s” is deleted.") % {"name": name}
    return go(request, reverse("triggers", args=[tree_id]), said)


def _page(
    request: HttpRequest, tree: Tree, found: Trigger, *, secret: bool = False, form: TriggerForm | None = None,
    problems: Any = (),
) -> HttpResponse:  # fmt: skip
    host = request.build_absolute_uri("/").rstrip("/")
    context = {
        "tree": tree,
        "view": trigger_view(tree, found, timezone.now(), host, secret=secret),
        "form": form or trigger_form(tree, found),
        "problems": problems,
    }
    return render(request, "dashboard/trigger.html", context, status=400 if problems else 200)
