"""Whether who writes or starts a tree may have its executors used; asked again at every start of a task."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestration.domain.errors import Forbidden, Invalid, Problem
from orchestration.domain.rights import USE_SHELL
from orchestration.executors import registry
from orchestration.models import Task, Tree
from orchestration.selectors.rights import rights_of
from orchestration.services import audit

TOKEN = "this token may not write or run commands: make one with the right to use the shell"


def check_written(user: Any, executors: Iterable[str]) -> None:
    """Raises unless *user* may have tasks of *executors* (ids): Invalid (executor_disabled), Forbidden
    (executor_forbidden, token_scope). No query for those that need no right."""
    found = [registry.find(executor_id) for executor_id in set(executors) if executor_id]
    guarded = [executor for executor in found if executor is not None and executor.permission]
    if not guarded:
        return
    for executor in guarded:
        if problem := executor.disabled():
            raise Invalid([Problem("executor", problem, "executor_disabled")])
    rights = rights_of([user.pk])[user.pk]
    for executor in guarded:
        rights.check(executor.id, executor.permission)
        if executor.permission == USE_SHELL and audit.shell_withheld():
            raise Forbidden(TOKEN, code="token_scope")


def check_started(tree: Tree) -> None:
    """Raises Forbidden (token_scope) when a token without the right to use the shell starts commands of *tree*."""
    if not audit.shell_withheld():
        return
    shells = [executor.id for executor in registry.all_executors() if executor.permission == USE_SHELL]
    if Task.objects.filter(tree=tree, executor__in=shells, linked_attempt=None).exists():
        raise Forbidden(TOKEN, code="token_scope")
