"""One's own secrets: set, replaced, deleted; never shown."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.htmx import go
from orchestration.domain.errors import Invalid
from orchestration.domain.secrets import MAX_LENGTH, MIN_LENGTH
from orchestration.selectors.secrets import secrets_of
from orchestration.services.secrets import RIGHT, secret_delete, secret_set
from orchestration.services.throttle import client_address


@never_cache
@sensitive_post_parameters("value")
@require_http_methods(["GET", "POST"])
def secrets(request: HttpRequest) -> HttpResponse:
    """The names of one's secrets; POST sets one, new or not."""
    problems, user = [], cast(User, request.user)
    name = request.POST.get("name", "").strip()
    if request.method == "POST":
        value = request.POST.get("value", "").replace("\r\n", "\n")  # as it was pasted
        try:
            secret, made = secret_set(user=user, name=name, value=value, ip=client_address(request))
        except Invalid as error:
            problems = error.problems
        else:
            text = _("The secret “%(name)s” is set.") if made else _("The secret “%(name)s” has a new value.")
            return go(request, reverse("secrets"), text % {"name": secret.name})
    context = {
        "secrets": secrets_of(user),
        "may_set": user.has_perm(RIGHT),
        "problems": problems,
        "name": name or request.GET.get("name", "")[:100],
        "least": MIN_LENGTH,
        "most": MAX_LENGTH,
    }
    return render(request, "dashboard/secrets.html", context, status=400 if problems else 200)


@require_POST
def secret_end(request: HttpRequest, name: str) -> HttpResponse:
    """Delete a secret."""
    secret_delete(user=cast(User, request.user), name=name, ip=client_address(request))
    return go(request, reverse("secrets"), _("The secret “%(name)s” is deleted.") % {"name": name})
