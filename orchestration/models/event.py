from __future__ import annotations

from django.db import models

from orchestration.models.fields import JsonField


class Event(models.Model):
    """One change of a run, numbered 1, 2, 3 ... within it; written in the transaction that made the change."""

    run = models.ForeignKey(
        "orchestration.Run", on_delete=models.CASCADE, related_name="events", db_index=False
    )  # the unique constraint's index serves
    seq = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=24)
    task = models.ForeignKey(
        "orchestration.Task",
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    attempt = models.PositiveIntegerField(null=True, blank=True)  # number of the attempt
    at = models.DateTimeField()
    data = JsonField(default=dict)  # the fields that changed

    class Meta:
        ordering = ["run_id", "seq"]
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="event_seq_once_per_run")]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"
