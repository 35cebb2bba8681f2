from __future__ import annotations

from django.conf import settings
from django.db import models


class Profile(models.Model):
    """How a person wants the pages."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="profile"
    )
    time_zone = models.CharField(max_length=64, blank=True, default="")  # IANA name; "" = that of the server
    tour_done = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"profile {self.pk}"
