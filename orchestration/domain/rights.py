"""What the owner of a run may have executors do: looked at as every attempt starts."""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.domain.errors import Forbidden

RUN_TREE = "run_tree"
USE_SHELL = "use_shell"
HTTP_PRIVATE = "http_private"
CANCEL_ANY = "cancel_any"
EXPLICIT = frozenset({USE_SHELL})  # nobody has these by being a superuser


class ExecutorForbidden(Forbidden):
    """The owner of this tree may not use that executor."""

    code = "executor_forbidden"


@dataclass(frozen=True, slots=True)
class Rights:
    """Of one user, as the rows say now."""

    name: str = ""
    active: bool = False
    superuser: bool = False
    granted: frozenset[str] = frozenset()  # of the codenames above, by themselves or by a group

    def may(self, right: str) -> bool:
        """Whether the user has *right*, a codename."""
        return self.active and (right in self.granted or (self.superuser and right not in EXPLICIT))

    def check(self, executor: str, right: str) -> None:
        """Raises ExecutorForbidden unless tasks of this user may start *executor*, which needs *right* ("" = none)."""
        if not self.active:
            raise ExecutorForbidden(f"the owner of this tree, '{self.name}', is no active user: nothing of it starts")
        if not self.may(RUN_TREE):
            message = f"'{self.name}' owns this tree and may not run trees: an administrator can give the operator role"
            raise ExecutorForbidden(message)
        if right and not self.may(right):
            raise ExecutorForbidden(
                f"'{self.name}' owns this tree and may not use the executor '{executor}': an administrator can give "
                f"the right '{right}'"
            )


NOBODY = Rights()
