from __future__ import annotations

from django.conf import settings
from django.db import models


class TreeShare(models.Model):
    """Lets another user see a tree, or also run it."""

    VIEW, RUN = "view", "run"
    RIGHTS = ((VIEW, "view"), (RUN, "view and run"))

    tree = models.ForeignKey("orchestration.Tree", on_delete=models.CASCADE, related_name="shares")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="shared_trees")
    right = models.CharField(max_length=8, choices=RIGHTS, default=VIEW)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tree", "user"], name="share_once_per_user"),
            models.CheckConstraint(condition=models.Q(right__in=["view", "run"]), name="share_right_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} may {self.get_right_display()} {self.tree}"
