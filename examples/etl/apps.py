from __future__ import annotations

from django.apps import AppConfig


class EtlConfig(AppConfig):
    name = "examples.etl"
    label = "examples_etl"
    verbose_name = "Sample executors"
