from django.apps import AppConfig

from orchestration import checks  # noqa: F401  (registers them)


class OrchestrationConfig(AppConfig):
    name = "orchestration"
    verbose_name = "Orchestration"
