"""Somebody who can manage users must remain."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet

from orchestration.domain.errors import Conflict


class LastAdmin(Conflict):
    """nobody would be left who can manage users: first give somebody else that right (an active superuser with the
    staff flag, or a member of the group admin with it)"""

    code = "last_admin"

    def __init__(self) -> None:
        super().__init__(" ".join((self.__doc__ or "").split()))


def administrators() -> QuerySet[User]:
    """Who can sign in to the admin site and change users there."""
    right = Permission.objects.filter(content_type__app_label="auth", codename="change_user")
    given = Q(is_superuser=True) | Q(user_permissions__in=right) | Q(groups__permissions__in=right)
    return User.objects.filter(given, is_active=True, is_staff=True).distinct()


def require_administrator() -> None:
    """Raises LastAdmin when there is none any more. Call it at the end of a transaction that changes users or groups:
    two of them that take the right from each other wait for one another here."""
    list(Group.objects.select_for_update().order_by("pk"))
    if not administrators().exists():
        raise LastAdmin
