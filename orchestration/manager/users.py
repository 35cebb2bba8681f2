"""`user_id` of the Python API: the name of a user of this installation."""

from __future__ import annotations

from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import transaction

from orchestration.domain.errors import Invalid, Problem
from orchestration.domain.json_gate import safe_text
from orchestration.roles import roles_install

DEFAULT_USER = "local"
OPERATOR = "operator"


@transaction.atomic
def user_named(name: str | None) -> User:
    """The user of that name (default "local"). Raises Invalid for a name that no user can have.

    Effects: one who does not exist is created: an operator who cannot sign in, until somebody gives them a password.
    """
    username = str(name) if name is not None else DEFAULT_USER
    user = User.objects.filter(username=username).first()
    if user is not None:
        return user
    made = User(username=username)
    made.set_unusable_password()
    try:
        made.full_clean()
    except ValidationError as error:
        reason = "; ".join(error.message_dict.get("username", error.messages))
        message = f"'{safe_text(username, 64)}' cannot be the name of a user: {reason}"
        raise Invalid([Problem("user_id", message)]) from None
    made.save()
    if not Group.objects.filter(name=OPERATOR).exists():
        roles_install(apps)
    made.groups.add(Group.objects.get(name=OPERATOR))
    return made
