"""Sharing a tree with other users."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from orchestration.domain.errors import Invalid, Problem
from orchestration.models import TreeShare
from orchestration.selectors.access import tree_for_write
from orchestration.selectors.doors import share_of
from orchestration.services import audit
from orchestration.services.locking import lock_tree

MAX_SHARES = 500  # per tree
RIGHTS = tuple(right for right, _ in TreeShare.RIGHTS)


@transaction.atomic
def share_set(*, user: Any, tree_id: int, username: str, right: str, ip: str = "") -> TreeShare:
    """From now on *username* may look at the tree ("view") or also run it ("run"), whatever it was before.

    Raises NotFound, Forbidden (not the owner), Invalid (username, right). Effects: the share, an audit entry.
    """
    tree = tree_for_write(user, tree_id)
    lock_tree(tree.pk)
    if right not in RIGHTS:
        raise Invalid([Problem("right", f"use one of {', '.join(RIGHTS)}", "invalid_choice")])
    shares = TreeShare.objects.filter(tree=tree)
    friend = None
    if "\x00" not in username:
        friend = User.objects.filter(username=username.strip()[:150], is_active=True).first()
    if friend is None:
        raise Invalid([Problem("username", "no such user: ask for the name they sign in with", "unknown_user")])
    if friend.pk == tree.owner_id:
        raise Invalid([Problem("username", "the owner may do everything already", "is_owner")])
    if shares.exclude(user=friend).count() >= MAX_SHARES:
        raise Invalid([Problem("username", f"shared with {MAX_SHARES} users already: remove some first", "too_many")])
    share, _ = TreeShare.objects.update_or_create(tree=tree, user=friend, defaults={"right": right})
    details = {"user": friend.pk, "username": friend.get_username(), "right": right}
    audit.record(actor=user, action="tree.share", target=f"tree:{tree.pk}", details=details, ip=ip)
    return share


@transaction.atomic
def share_remove(*, user: Any, tree_id: int, share_id: int, ip: str = "") -> str:
    """The name of the user with whom the tree is no longer shared. Raises NotFound, Forbidden (not the owner).

    Effects: the share goes, an audit entry.
    """
    tree = tree_for_write(user, tree_id)
    share = share_of(tree, share_id)
    name = share.user.get_username()
    share.delete()
    details = {"user": share.user_id, "username": name}
    audit.record(actor=user, action="tree.unshare", target=f"tree:{tree.pk}", details=details, ip=ip)
    return name
