"""Whose trees a command makes when nobody is named."""

from __future__ import annotations

from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.management.base import CommandError
from django.db import transaction

from orchestration.roles import roles_install

LOCAL = "local"  # may run trees, cannot log in
OPERATOR = "operator"


def owner_named(name: str) -> User:
    """The active user of that name; without a name the first superuser, or else the user "local".

    Raises CommandError when nobody has that name. Effects: creates "local" when it is needed.
    """
    if name:
        user = User.objects.filter(username=name, is_active=True).first()
        if user is None:
            raise CommandError(f"--owner: there is no active user {name!a}", returncode=2)
        return user
    return User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first() or _local()


@transaction.atomic
def _local() -> User:
    user, created = User.objects.get_or_create(username=LOCAL)
    if created:
        user.set_unusable_password()
        user.save()
        if not Group.objects.filter(name=OPERATOR).exists():
            roles_install(apps)
        user.groups.add(Group.objects.get(name=OPERATOR))
    return user
