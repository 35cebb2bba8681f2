from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from orchestration.models.fields import JsonField


class TreeDraft(models.Model):
    """What somebody is building: a new tree, or changes to one of theirs that are not saved yet."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    tree = models.ForeignKey(
        "orchestration.Tree", null=True, blank=True, on_delete=models.CASCADE, related_name="drafts"
    )  # null: a new tree
    base_version = models.PositiveIntegerField(default=0)  # of the tree when the draft was begun
    step = models.PositiveIntegerField(default=0)  # number of the step that is shown
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-updated_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "tree"], condition=Q(tree__isnull=False), name="draft_one_per_owner_and_tree"
            ),
        ]

    def __str__(self) -> str:
        return f"draft {self.pk}"


class DraftStep(models.Model):
    """A draft after one edit. Undo and redo go from step to step."""

    draft = models.ForeignKey("orchestration.TreeDraft", on_delete=models.CASCADE, related_name="steps", db_index=False)
    number = models.PositiveIntegerField()  # 0 = as it began
    what = models.CharField(max_length=200, blank=True, default="")  # the edit in words
    array = JsonField(default=list)  # tasks in pre-order, with ids

    class Meta:
        ordering = ["draft_id", "number"]
        constraints = [models.UniqueConstraint(fields=["draft", "number"], name="draft_step_once")]

    def __str__(self) -> str:
        return f"{self.number} {self.what}"
