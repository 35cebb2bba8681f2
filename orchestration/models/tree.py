from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse

from orchestration.domain.states import Origin
from orchestration.models.choices import ORIGIN_CHOICES, ORIGIN_VALUES
from orchestration.models.fields import JsonField, NameField


class Tree(models.Model):
    """One root task and everything under it: the unit that is run, copied, linked, archived."""

    name = NameField(max_length=255)  # of the root task, kept here for lists and search
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="trees")
    labels = JsonField(default=list, blank=True)
    origin_type = models.CharField(max_length=16, choices=ORIGIN_CHOICES, default=Origin.CREATE.value)
    original = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="derived")
    task_count = models.PositiveIntegerField(default=0)
    run_count = models.PositiveIntegerField(default=0)  # the number of the newest run
    max_parallel = models.PositiveIntegerField(default=0)  # attempts of one run at a time; 0 = as many as slots
    version = models.PositiveIntegerField(default=1)  # rises with every edit (optimistic lock)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(name=""), name="tree_named"),
            models.CheckConstraint(condition=models.Q(origin_type__in=ORIGIN_VALUES), name="tree_origin_known"),
        ]
        permissions = [
            ("run_tree", "Can run, cancel and re-execute trees"),
            ("http_private", "Can reach private networks with the http executor"),
            ("use_shell", "Can use the command executor (superusers too need it)"),
            ("cancel_any", "Can cancel any run, if staff"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("tree", args=[self.pk])
