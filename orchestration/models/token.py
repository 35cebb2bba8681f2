from __future__ import annotations

from django.conf import settings
from django.db import models

from orchestration.models.fields import NameField

READ, RUN, ADMIN = "read", "run", "admin"
SCOPES = (READ, RUN, ADMIN)
SCOPE_CHOICES = (
    (READ, "look only"),
    (RUN, "look, run, cancel and re-execute"),
    (ADMIN, "everything that its user may do"),
)


class ApiToken(models.Model):
    """Lets a program act as a user. Only the digest of the secret is stored; the secret is shown once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = NameField(max_length=100)
    prefix = models.CharField(max_length=16)  # how the secret begins, to recognise it by
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the secret, in hex
    scope = models.CharField(max_length=8, choices=SCOPE_CHOICES, default=READ)
    use_shell = models.BooleanField(default=False)  # may write and run commands, if its user may
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)  # exact to a minute
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=models.Q(scope__in=SCOPES), name="token_scope_known")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
