from __future__ import annotations

from django.conf import settings
from django.db import models

from orchestration.models.fields import NameField


class SavedFilter(models.Model):
    """A filter of a list that a person keeps under a name."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_filters")
    page = models.CharField(max_length=8)  # trees or runs
    name = NameField(max_length=60)
    query = models.CharField(max_length=600, blank=True, default="")
    is_default = models.BooleanField(default=False)  # the list opens with it

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "page", "name"], name="filter_name_once"),
            models.UniqueConstraint(
                fields=["user", "page"], condition=models.Q(is_default=True), name="filter_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name
