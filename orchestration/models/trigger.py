from __future__ import annotations

from django.db import models
from django.urls import reverse

from orchestration.domain.triggers import BodyUse, Proof
from orchestration.models.fields import JsonField, NameField

PROOFS, USES = [proof.value for proof in Proof], [use.value for use in BodyUse]
PROOF_CHOICES = [(value, value) for value in PROOFS]
USE_CHOICES = [(value, value) for value in USES]


class Trigger(models.Model):
    """Lets another system start runs of a tree. Its secret is nowhere stored: it follows from `public_id`,
    `generation` and the server's key."""

    tree = models.ForeignKey("orchestration.Tree", on_delete=models.CASCADE, related_name="triggers")
    public_id = models.CharField(max_length=32, unique=True)  # in its address
    generation = models.PositiveIntegerField(default=1)  # rises when the secret is changed
    name = NameField(max_length=100)
    proof = models.CharField(max_length=16, choices=PROOF_CHOICES, default=Proof.URL.value)
    body = models.CharField(max_length=16, choices=USE_CHOICES, default=BodyUse.NONE.value)
    inputs = JsonField(default=dict, blank=True)  # task id -> names of the inputs that a body sets
    per_minute = models.PositiveSmallIntegerField(default=10)  # requests, whatever comes of them
    enabled = models.BooleanField(default=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)  # when it last started a run
    use_count = models.PositiveIntegerField(default=0)  # runs that it has started
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["tree_id", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tree", "name"], name="trigger_name_once_per_tree"),
            models.CheckConstraint(condition=models.Q(proof__in=PROOFS), name="trigger_proof_known"),
            models.CheckConstraint(condition=models.Q(body__in=USES), name="trigger_body_known"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("trigger", args=[self.tree_id, self.pk])


class TriggerUse(models.Model):
    """A signature that was accepted: it is not taken a second time. Kept as long as it would be good."""

    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="uses", db_index=False)
    mark = models.CharField(max_length=64)
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trigger", "mark"], name="trigger_mark_once")]

    def __str__(self) -> str:
        return self.mark
