"""Reads of secrets: names for people, sealed values for the engine."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from orchestration.domain.errors import NotFound
from orchestration.models import Secret

type Sealed = dict[tuple[int | None, str], str]  # (user id, name) -> sealed value


def secrets_of(user: Any) -> list[Secret]:
    """The secrets of *user*, by name; their sealed values are not read."""
    return list(Secret.objects.filter(user=user).defer("sealed"))


def secret_named(user: Any, name: str) -> Secret:
    """The secret of *user*, without its sealed value. Raises NotFound."""
    found = Secret.objects.filter(user=user, name=name).defer("sealed").first() if "\x00" not in name else None
    if found is None:
        raise NotFound(f"you have no secret '{name[:100]}'")
    return found


def sealed_of(wanted: Collection[tuple[int | None, str]]) -> Sealed:
    """The sealed values of *wanted*; "" for those that are not there. One query."""
    users, names = {user for user, _ in wanted}, {name for _, name in wanted}
    rows = Secret.objects.filter(user__in=users - {None}, name__in=names).values_list("user_id", "name", "sealed")
    found: Sealed = {(user, name): sealed for user, name, sealed in rows}
    return {key: found.get(key, "") for key in wanted}
