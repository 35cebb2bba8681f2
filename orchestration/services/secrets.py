"""Secrets of a user: set, replaced, deleted, sealed anew. Only `opened` gives values back, to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from orchestration.domain.errors import Conflict, Forbidden, Invalid, Problem
from orchestration.domain.json_gate import text_problem
from orchestration.domain.secrets import MAX_LENGTH, MIN_LENGTH, NAME, NAME_RULE
from orchestration.models import Secret
from orchestration.selectors.secrets import secret_named
from orchestration.services import audit, secret_keys

MAX_SECRETS = 500  # per user
RIGHT = "orchestration.add_secret"


def require_secrets(user: Any) -> None:
    """Raises Forbidden unless *user* may have secrets."""
    if not user.has_perm(RIGHT):
        raise Forbidden("your role does not allow you to have secrets: ask an administrator for the operator role")


def secret_set(*, user: User, name: str, value: str, ip: str = "") -> tuple[Secret, bool]:
    """The secret with its new value, and whether the name is new. Raises Forbidden, Invalid (name, value).

    Effects: the row, and an audit entry without the value. Attempts that start from now on get the new one.
    """
    require_secrets(user)
    _check(name, value)
    now = timezone.now()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # the limit holds for two requests at a time too
        mine = Secret.objects.filter(user=user)
        if not mine.filter(name=name).exists() and mine.count() >= MAX_SECRETS:
            raise Invalid([Problem("name", f"you have {MAX_SECRETS} secrets: delete some first", "too_many")])
        fresh = {"sealed": secret_keys.seal(value), "updated_at": now}
        secret, made = mine.update_or_create(
            user=user, name=name, defaults=fresh, create_defaults={**fresh, "created_at": now}
        )
        details = {"name": name, "replaced": not made}
        audit.record(actor=user, action="secret.set", target=f"secret:{secret.pk}", details=details, ip=ip)
    return secret, made


def secret_delete(*, user: User, name: str, ip: str = "") -> None:
    """The secret of *user* is gone; tasks that refer to it fail as they start. Raises NotFound, Forbidden.

    Effects: the row, an audit entry.
    """
    require_secrets(user)
    with transaction.atomic():
        secret = secret_named(user, name)
        details = {"name": name}
        audit.record(actor=user, action="secret.delete", target=f"secret:{secret.pk}", details=details, ip=ip)
        secret.delete()


def opened(sealed: Mapping[str, str]) -> dict[str, str]:
    """Name -> value. For the moment before an executor is called. Raises SecretUnreadable."""
    return {name: secret_keys.unseal(text) for name, text in sealed.items()}


def rotate() -> int:
    """A new key in the file in front of the others, and all secrets sealed with it (with the first of the settings, if
    these name the keys). Returns how many. Raises SecretUnreadable: a secret that no key opens; nothing is changed then
    but the file."""
    if not secret_keys.keys_given():
        secret_keys.keys_write([secret_keys.key_new(), *secret_keys.keys()])
    return _seal_anew()


def forget_old_keys() -> int:
    """Seal what is not sealed with the newest key yet, then take the other keys out of the file. Returns how many keys.

    Raises SecretUnreadable; Conflict when the settings name the keys.
    """
    if secret_keys.keys_given():
        raise Conflict("APFLOW_SECRET_KEYS names the keys: take the old ones out of it", code="keys_given")
    _seal_anew()
    found = secret_keys.keys()
    secret_keys.keys_write(found[:1])
    return len(found[1:])


@transaction.atomic
def _seal_anew() -> int:
    count = 0
    for secret in list(Secret.objects.select_for_update().order_by("pk")):
        if not secret_keys.sealed_with_newest(secret.sealed):
            secret.sealed = secret_keys.seal(secret_keys.unseal(secret.sealed))
            secret.save(update_fields=["sealed"])
            count += 1
    return count


def _check(name: Any, value: Any) -> None:
    problems = []
    if not isinstance(name, str) or not NAME.fullmatch(name):
        problems.append(Problem("name", f"use {NAME_RULE}", "invalid_name"))
    if not isinstance(value, str):
        problems.append(Problem("value", "expected a text", "invalid_type"))
    elif len(value) < MIN_LENGTH:
        message = f"needs at least {MIN_LENGTH} characters: a shorter one could not be hidden in logs and results"
        problems.append(Problem("value", message, "too_short"))
    elif len(value) > MAX_LENGTH:
        problems.append(Problem("value", f"longer than {MAX_LENGTH} characters", "too_long"))
    elif problem := text_problem(value, max_length=MAX_LENGTH, field="value", single_line=False):
        problems.append(problem)
    if problems:
        raise Invalid(problems)
