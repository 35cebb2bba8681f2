"""How much one person may have: counted under a lock of their own, so that two requests cannot share the last place."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Sum

from orchestration.conf import conf
from orchestration.domain.errors import Conflict
from orchestration.domain.states import Status
from orchestration.models import Run, Tree

BIG = 1_000  # tasks: smaller trees are bounded by their number


class QuotaExceeded(Conflict):
    """You have as much of this as one person may have."""

    code = "quota_exceeded"


def require_tree(owner: Any, tasks: int) -> None:
    """Raises QuotaExceeded when *owner* may have no further tree with so many *tasks*."""
    _lock(owner.pk)
    mine, limits = Tree.objects.filter(owner=owner), conf()
    if mine.count() >= limits.max_trees:
        raise QuotaExceeded(f"'{owner.get_username()}' has {limits.max_trees} trees: delete some first")
    if tasks >= BIG and (mine.aggregate(all=Sum("task_count"))["all"] or 0) + tasks > limits.max_all_tasks:
        message = f"'{owner.get_username()}' would have more than {limits.max_all_tasks} tasks: delete some trees first"
        raise QuotaExceeded(message)


def require_run(owner_id: int) -> None:
    """Raises QuotaExceeded when so many trees of that owner run that no further one may."""
    _lock(owner_id)
    most = conf().max_active_runs
    if Run.objects.filter(tree__owner=owner_id, status=Status.IN_PROGRESS).count() >= most:
        raise QuotaExceeded(f"{most} runs of this tree's owner are active: wait for one to end, or cancel one")


def _lock(user_id: int) -> None:
    """Rows that refer to the user can be added by others meanwhile."""
    list(User.objects.select_for_update(no_key=True).filter(pk=user_id).values_list("pk"))
