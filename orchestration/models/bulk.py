from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse

from orchestration.domain.operations import OPEN, Bulk, Kind, OperationState
from orchestration.models.fields import JsonField


class BulkOperation(models.Model):
    """One action on many trees or runs: what was asked, how far it is, what failed."""

    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    action = models.CharField(max_length=16, choices=[(a.value, a.value) for a in Bulk])
    kind = models.CharField(max_length=8, choices=[(k.value, k.value) for k in Kind])
    query = models.TextField(blank=True, default="")  # the filter whose matches were chosen; "" = rows chosen by hand
    ids = JsonField(default=list)  # of trees or runs, in the order of work
    reason = models.TextField(blank=True, default="")
    argument = models.TextField(blank=True, default="")  # the label that is put on
    total = models.PositiveIntegerField()
    refused = models.PositiveIntegerField(default=0)  # chosen, but left out from the beginning
    done = models.PositiveIntegerField(default=0)  # worked on, whether it went well or not
    failed = models.PositiveIntegerField(default=0)
    failures = JsonField(default=list)  # {id, name, message}, the first 200
    state = models.CharField(
        max_length=8, choices=[(s.value, s.value) for s in OperationState], default=OperationState.WAITING.value
    )
    abort_requested = models.BooleanField(default=False)
    worker = models.CharField(max_length=36, blank=True, default="")
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    use_shell = models.BooleanField(default=True)  # False: asked for with a token that may not start commands
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(done__lte=models.F("total")), name="operation_done_in_total"),
            models.CheckConstraint(
                condition=models.Q(state__in=[s.value for s in OperationState]), name="operation_state_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(state__in=sorted(s.value for s in OPEN)), name="operation_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.total} {self.kind}"

    def get_absolute_url(self) -> str:
        return reverse("operation", args=[self.pk])

    @property
    def is_open(self) -> bool:
        return self.state in OPEN
