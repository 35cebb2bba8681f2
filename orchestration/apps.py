"""The application: on start it collects the executors of every installed application."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext, ngettext

from orchestration import checks, failpoints  # noqa: F401  (checks register themselves)
from orchestration.domain import words


class OrchestrationConfig(AppConfig):
    name = "orchestration"
    verbose_name = "Orchestration"

    def ready(self) -> None:
        """Import `executors.py` of every installed application, which registers what it decorates; start the audit."""
        words.use(gettext=gettext, ngettext=ngettext)  # the domain knows no Django
        failpoints.arm(settings.FAILPOINTS)
        autodiscover_modules("executors", "audit_signals")
