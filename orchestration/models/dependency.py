from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from orchestration.models.fields import JsonField


class Dependency(models.Model):
    """`task` waits for `depends_on`. Required: it must complete. Optional: it only must end."""

    task = models.ForeignKey(
        "orchestration.Task", on_delete=models.CASCADE, related_name="dependencies", db_index=False
    )  # the unique constraint's index serves
    depends_on = models.ForeignKey("orchestration.Task", on_delete=models.CASCADE, related_name="dependents")
    position = models.PositiveIntegerField(default=0)  # listed order: decides who wins when results are merged
    required = models.BooleanField(default=True)
    map = JsonField(null=True, blank=True)  # {"input field": "path.in.result"}
    as_key = models.CharField(max_length=255, null=True, blank=True)  # null: no key; "" is a legal one

    class Meta:
        ordering = ["task_id", "position"]
        verbose_name_plural = "dependencies"
        constraints = [
            models.UniqueConstraint(fields=["task", "depends_on"], name="dependency_once"),
            models.CheckConstraint(condition=~Q(task=F("depends_on")), name="dependency_not_on_itself"),
            models.CheckConstraint(condition=Q(map__isnull=True) | Q(as_key__isnull=True), name="dependency_map_or_as"),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} waits for {self.depends_on_id}"
