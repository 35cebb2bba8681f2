"""The application: on start it collects the executors of every installed application."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from orchestration import checks  # noqa: F401  (registers them)


class OrchestrationConfig(AppConfig):
    name = "orchestration"
    verbose_name = "Orchestration"

    def ready(self) -> None:
        """Import `executors.py` of every installed application, which registers what it decorates; start the audit."""
        autodiscover_modules("executors", "audit_signals")
