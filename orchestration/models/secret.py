from __future__ import annotations

from django.conf import settings
from django.db import models


class Secret(models.Model):
    """A named value that tasks of its user refer to. Only its sealed form is stored; nothing shows the value again."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=100)
    sealed = models.TextField()  # encrypted, authenticated: services/secret_keys.py
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()  # when its value was set

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="secret_name_once_per_user")]

    def __str__(self) -> str:
        return self.name
